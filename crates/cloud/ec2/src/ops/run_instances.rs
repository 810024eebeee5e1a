mod asks;

use eksile_aws::inputs::{TagSpecification, specified_tags_among};
use eksile_aws::{Ask, Call, Command, Fault, Reads, Shape};
use eksile_store::Txn;

use crate::launch::{self, MetadataRequest, Order, ProfileSpecification};
use crate::network::Network;
use crate::resource::{invalid_value, missing};
use crate::shown::{InstanceShown, ReservationShown};

/// What it makes that may have tags.
const TAGGED: &[&str] = &["instance", "network-interface"];
/// What AWS would make besides.
const UNBUILT: &[&str] = &["volume", "spot-instances-request", "elastic-gpu"];

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>
#[derive(Shape)]
pub(super) struct RunInstances {
    image_id: Option<String>,
    instance_type: Option<String>,
    min_count: i32,
    max_count: i32,
    key_name: Option<String>,
    #[shape(input = "SecurityGroupId")]
    security_group_ids: Vec<String>,
    #[shape(input = "SecurityGroup")]
    security_groups: Vec<String>,
    subnet_id: Option<String>,
    user_data: Option<String>,
    private_ip_address: Option<String>,
    client_token: Option<String>,
    iam_instance_profile: Option<ProfileSpecification>,
    #[shape(input = "NetworkInterface")]
    network_interfaces: Vec<InterfaceSpecification>,
    #[shape(input = "TagSpecification")]
    tag_specifications: Vec<TagSpecification>,
    metadata_options: Option<MetadataRequest>,
    placement: Option<Placement>,
}

/// The interface of the new instance, spelt out.
#[derive(Shape)]
pub(super) struct InterfaceSpecification {
    device_index: Option<i32>,
    subnet_id: Option<String>,
    #[shape(input = "SecurityGroupId")]
    groups: Vec<String>,
    private_ip_address: Option<String>,
    network_interface_id: Option<String>,
    associate_public_ip_address: Option<bool>,
    delete_on_termination: Option<bool>,
    description: Option<String>,
    secondary_private_ip_address_count: Option<i32>,
}

#[derive(Shape)]
struct Placement {
    availability_zone: Option<String>,
    group_name: Option<String>,
    tenancy: Option<String>,
}

impl Command for RunInstances {
    type Output = ReservationShown;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        self.asked(call, state)
    }

    fn run(self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<ReservationShown, Fault> {
        self.refuse_what_is_not_built()?;
        let network = Network::read(Reads::of(txn), &call.scope)?;
        let order = self.order(call, txn, &network)?;
        let launched = launch::launch(call, txn, &network, &order)?;
        let network = Network::read(Reads::of(txn), &call.scope)?;
        Ok(ReservationShown {
            reservation_id: launched.first().map(|instance| instance.reservation_id.clone()).unwrap_or_default(),
            owner_id: call.scope.account.clone(),
            group_set: Vec::new(),
            instances_set: launched.iter().map(|i| InstanceShown::of(call, i, &network, &[])).collect(),
        })
    }
}

fn is_unbuilt(specification: &TagSpecification) -> bool {
    specification.resource_type.as_deref().is_some_and(|kind| UNBUILT.contains(&kind))
}

impl RunInstances {
    fn refuse_what_is_not_built(&self) -> Result<(), Fault> {
        let placement = self.placement.as_ref();
        // Terraform's provider sends an empty text for what it was not told.
        let differs = |value: Option<&String>, built: &str| value.is_some_and(|v| !v.is_empty() && v != built);
        let unbuilt = [
            ("Tenancy other than default", differs(placement.and_then(|p| p.tenancy.as_ref()), "default")),
            ("More than one network interface at launch", self.network_interfaces.len() > 1),
            ("Tags for what is not made here, such as volumes", self.tag_specifications.iter().any(is_unbuilt)),
            ("Security groups by name", !self.security_groups.is_empty()),
        ];
        if let Some((what, _)) = unbuilt.iter().find(|(_, asked)| *asked) {
            return Err(Fault::not_implemented(what));
        }
        if let Some(name) = &self.key_name {
            let message = format!("The key pair '{name}' does not exist");
            return Err(Fault::client("InvalidKeyPair.NotFound", 400, message));
        }
        if let Some(name) = placement.and_then(|p| p.group_name.as_ref()).filter(|name| !name.is_empty()) {
            let message = format!("The placement group '{name}' is unknown.");
            return Err(Fault::client("InvalidPlacementGroup.Unknown", 400, message));
        }
        Ok(())
    }

    fn order(&self, call: &Call<'_>, txn: &Txn<'_>, network: &Network) -> Result<Order, Fault> {
        let interface = self.interface()?;
        let (subnet_id, groups, private_ip) = match interface {
            Some(spec) => (&spec.subnet_id, &spec.groups, &spec.private_ip_address),
            None => (&self.subnet_id, &self.security_group_ids, &self.private_ip_address),
        };
        let zone = self.placement.as_ref().and_then(|placement| placement.availability_zone.as_deref());
        let zone = zone.filter(|zone| !zone.is_empty());
        let subnet = launch::subnet(network, subnet_id.as_deref(), zone)?;
        let public = interface.and_then(|spec| spec.associate_public_ip_address);
        if public.unwrap_or(subnet.map_public_ip_on_launch) {
            return Err(Fault::not_implemented(
                "A public address at launch (MapPublicIpOnLaunch, AssociatePublicIpAddress)",
            ));
        }
        let secondary = interface.and_then(|spec| spec.secondary_private_ip_address_count).unwrap_or(0);
        let instance_type = launch::instance_type(self.instance_type.as_deref())?;
        let profile = self.iam_instance_profile.as_ref();
        let counts = (self.min_count, self.max_count);
        let image_id = launch::image(call, self.image_id.as_deref())?;
        let tags = specified_tags_among(&self.tag_specifications, "instance", TAGGED)?;
        let metadata = self.metadata_options.as_ref();
        Ok(Order {
            metadata_options: launch::metadata_options(call, Reads::of(txn), metadata, &image_id, &tags)?,
            image_id,
            secondary_addresses: launch::secondary_addresses(instance_type, secondary)?,
            instance_type,
            groups: launch::groups(network, &subnet, groups)?,
            subnet,
            private_ip: private_ip.clone(),
            description: interface.and_then(|spec| spec.description.clone()).unwrap_or_default(),
            delete_on_termination: interface.and_then(|spec| spec.delete_on_termination).unwrap_or(true),
            counts: launch::counts(counts, private_ip.is_some())?,
            user_data: self.user_data.as_deref().map(launch::user_data).transpose()?,
            profile: profile.map(|profile| profile.find(call, Reads::of(txn))).transpose()?,
            client_token: self.client_token.clone(),
            tags,
            interface_tags: specified_tags_among(&self.tag_specifications, "network-interface", TAGGED)?,
        })
    }

    /// The spelt-out interface, if any; then nothing may be said of it elsewhere.
    fn interface(&self) -> Result<Option<&InterfaceSpecification>, Fault> {
        let Some(spec) = self.network_interfaces.first() else { return Ok(None) };
        let elsewhere = [
            (self.subnet_id.is_some(), "subnet ID"),
            (!self.security_group_ids.is_empty(), "security groups"),
            (self.private_ip_address.is_some(), "private address"),
        ];
        if let Some((_, what)) = elsewhere.iter().find(|(said, _)| *said) {
            let message =
                format!("Network interfaces and an instance-level {what} may not be specified on the same request");
            return Err(Fault::client("InvalidParameterCombination", 400, message));
        }
        match spec.device_index {
            None => return Err(missing("networkInterface.1.deviceIndex")),
            Some(0) => {}
            Some(other) => {
                return Err(invalid_value(format!("The first network interface must have index 0, not {other}")));
            }
        }
        if spec.network_interface_id.is_some() {
            return Err(Fault::not_implemented("An existing interface at launch"));
        }
        Ok(Some(spec))
    }
}
