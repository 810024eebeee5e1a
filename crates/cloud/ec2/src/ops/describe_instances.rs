use eksile_aws::inputs::Filter;
use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::network::Network;
use crate::records::{Address, Instance};
use crate::resource::select;
use crate::shown::{INSTANCE_FILTERS, InstanceShown, ReservationShown, instance_values};

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
#[derive(Shape)]
pub(super) struct DescribeInstances {
    #[shape(input = "InstanceId")]
    instance_ids: Vec<String>,
    #[shape(input = "Filter")]
    filters: Vec<Filter>,
    /// Changes nothing: no AWS service here keeps any out of lists.
    include_managed_resources: Option<bool>,
}

/// Instances by reservation, in the order of their ids.
#[derive(Shape)]
pub(super) struct Output {
    reservation_set: Vec<ReservationShown>,
}

impl Lookup for DescribeInstances {
    type Output = Output;

    fn asks(&self, _call: &Call<'_>, _state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        Ok(vec![Ask::any()])
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        let network = Network::read(Reads::of(view), &call.scope)?;
        let addresses = view.records::<Address>(&call.scope)?;
        let Self { instance_ids: ids, filters, .. } = self;
        let instances: Vec<Instance> =
            select(Reads::of(view), &call.scope, &ids, &filters, INSTANCE_FILTERS, |instance, name| {
                instance_values(call, instance, &network, name)
            })?;
        let mut reservations: Vec<ReservationShown> = Vec::new();
        for instance in &instances {
            let shown = InstanceShown::of(call, instance, &network, &addresses);
            match reservations.iter_mut().find(|r| r.reservation_id == instance.reservation_id) {
                Some(reservation) => reservation.instances_set.push(shown),
                None => reservations.push(ReservationShown {
                    reservation_id: instance.reservation_id.clone(),
                    owner_id: call.scope.account.clone(),
                    group_set: Vec::new(),
                    instances_set: vec![shown],
                }),
            }
        }
        Ok(Output { reservation_set: reservations })
    }
}
