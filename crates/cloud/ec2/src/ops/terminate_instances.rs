use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::asked;
use crate::network::Network;
use crate::records::{Instance, InstanceState, WantedInstanceState};
use crate::resource::{find, missing};
use crate::shown::InstanceStateShown;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>
#[derive(Shape)]
pub(super) struct TerminateInstances {
    #[shape(input = "InstanceId")]
    instance_ids: Vec<String>,
}

/// One change per instance, in the order asked.
#[derive(Shape)]
pub(super) struct Output {
    instances_set: Vec<StateChange>,
}

/// `InstanceStateChange` of the EC2 API.
#[derive(Shape)]
pub(super) struct StateChange {
    instance_id: String,
    current_state: InstanceStateShown,
    previous_state: InstanceStateShown,
}

impl Command for TerminateInstances {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        asked::each::<Instance>(call, state, &self.instance_ids)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Output, Fault> {
        if self.instance_ids.is_empty() {
            return Err(missing("InstanceId"));
        }
        let network = Network::read(Reads::of(txn), &call.scope)?;
        let mut changes = Vec::new();
        for id in self.instance_ids {
            let mut instance: Instance = find(Reads::of(txn), &call.scope, &id)?;
            let previous = network.state(&instance);
            if instance.wanted != WantedInstanceState::Terminated {
                instance.wanted = WantedInstanceState::Terminated;
                txn.put_record(&call.scope, &instance)?;
            }
            let ended = previous == InstanceState::Terminated;
            let current = if ended { previous } else { InstanceState::ShuttingDown };
            changes.push(StateChange {
                instance_id: id,
                current_state: current.into(),
                previous_state: previous.into(),
            });
        }
        Ok(Output { instances_set: changes })
    }
}
