//! What a launch asks the policies: everything that it uses, and everything that it makes.

use eksile_aws::{Ask, Call, Fault, Reads};

use super::RunInstances;
use crate::asked;
use crate::images::{self, OWNER_ID};
use crate::launch;
use crate::network::Network;
use crate::records::{Instance, MetadataOptions, NetworkInterface, SecurityGroup, Subnet, Tags, Vpc};

const ACTION: &str = "RunInstances";

impl RunInstances {
    pub(super) fn asked(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        let network = Network::read(state, &call.scope)?;
        let subnet = self.meant_subnet(&network)?;
        let mut asks = vec![self.image(call)];
        let profile = self.iam_instance_profile.as_ref();
        let profile_arn = profile.map(|profile| profile.asked_arn(call, state)).transpose()?;
        asks.extend(self.makes(call, (profile_arn.as_deref(), self.metadata(call, state)), subnet.as_ref()));
        for id in self.subnet_ids() {
            asks.push(asked::ask::<Subnet>(call, state, Some(id))?);
        }
        match &subnet {
            Some(subnet) if self.subnet_ids().next().is_none() => asks.push(asked::of(call, subnet)),
            _ => {}
        }
        asks.extend(self.groups(call, state, &network, subnet.as_ref())?);
        for spec in &self.network_interfaces {
            if let Some(id) = &spec.network_interface_id {
                asks.push(asked::ask::<NetworkInterface>(call, state, Some(id))?);
            }
        }
        asks.extend(self.named(call));
        if let Some(profile) = profile {
            asks.extend(profile.pass_role(call, state)?);
        }
        let in_template = |ask: Ask| ask.key("ec2:IsLaunchTemplateResource", "false");
        Ok(asks.into_iter().map(in_template).collect())
    }

    fn subnet_ids(&self) -> impl Iterator<Item = &String> {
        self.subnet_id.iter().chain(self.network_interfaces.iter().filter_map(|spec| spec.subnet_id.as_ref()))
    }

    /// The subnet that the launch will be in; `None` where the call names none that is there: the call itself says so, after
    /// its token was looked up, whose first answer may be older than the subnet's end.
    fn meant_subnet(&self, network: &Network) -> Result<Option<Subnet>, Fault> {
        let zone = self.placement.as_ref().and_then(|placement| placement.availability_zone.as_deref());
        let asked = self.subnet_ids().next().map(String::as_str);
        match launch::subnet(network, asked, zone.filter(|zone| !zone.is_empty())) {
            Ok(subnet) => Ok(Some(subnet)),
            Err(fault) if fault.is_client() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    fn image(&self, call: &Call<'_>) -> Ask {
        let id = self.image_id.as_deref().unwrap_or("*");
        let ask = Ask::to(format!("arn:aws:ec2:{}::image/{id}", call.region)).key("ec2:Region", call.region);
        match images::find(call.region, id) {
            Some(_) => ask
                .key("ec2:ImageID", id)
                .key("ec2:ImageType", "machine")
                .key("ec2:Owner", "amazon")
                .key("ec2:Public", "true")
                .key("ec2:RootDeviceType", "ebs")
                .key("aws:ResourceAccount", OWNER_ID),
            None => ask,
        }
    }

    /// Instances, their interfaces, and the volumes that AWS would make of their image.
    fn makes(
        &self,
        call: &Call<'_>,
        (profile, metadata): (Option<&str>, Result<MetadataOptions, Fault>),
        subnet: Option<&Subnet>,
    ) -> Vec<Ask> {
        let zone = subnet.map(|subnet| &*subnet.availability_zone);
        let located = |ask: Ask| ask.maybe("ec2:AvailabilityZone", zone);
        let interface = |ask: Ask| {
            let ask = ask.maybe("ec2:Subnet", subnet.map(|s| asked::arn::<Subnet>(call, Some(&s.subnet_id))));
            let ask = ask.maybe("ec2:Vpc", subnet.map(|s| asked::arn::<Vpc>(call, Some(&s.vpc_id))));
            let public = self.network_interfaces.first().and_then(|spec| spec.associate_public_ip_address);
            located(ask.maybe("ec2:AssociatePublicIpAddress", public.map(|public| public.to_string())))
        };
        let specifications = &self.tag_specifications;
        let instance = |ask: Ask| {
            let ask = located(self.instance(call, profile, ask));
            match &metadata {
                Ok(options) => asked::metadata(ask, *options),
                Err(fault) => ask.failing(Some(fault.clone())),
            }
        };
        let mut asks = asked::made::<Instance>(call, ACTION, specifications, instance);
        asks.extend(asked::made::<NetworkInterface>(call, ACTION, specifications, interface));
        let volume = |ask: Ask| located(ask.key("ec2:Encrypted", "false"));
        asks.extend(asked::made_of(call, "volume", ACTION, specifications, volume));
        asks
    }

    /// What the new instances' metadata service will be.
    fn metadata(&self, call: &Call<'_>, state: Reads<'_>) -> Result<MetadataOptions, Fault> {
        let (asked, image) = (self.metadata_options.as_ref(), self.image_id.as_deref().unwrap_or_default());
        launch::metadata_options(call, state, asked, image, &Tags::new())
    }

    fn instance(&self, call: &Call<'_>, profile: Option<&str>, ask: Ask) -> Ask {
        let placement = self.placement.as_ref();
        let tenancy =
            placement.and_then(|placement| placement.tenancy.as_deref()).filter(|tenancy| !tenancy.is_empty());
        ask.maybe("ec2:InstanceType", self.instance_type.as_deref())
            .maybe("ec2:InstanceProfile", profile)
            .maybe("ec2:PlacementGroup", placement.and_then(|p| p.group_name.as_deref()).map(|name| group(call, name)))
            .key("ec2:Tenancy", tenancy.unwrap_or("default"))
            .key("ec2:EbsOptimized", "false")
            .key("ec2:RootDeviceType", "ebs")
    }

    /// The groups named, or the VPC's default one.
    fn groups(
        &self,
        call: &Call<'_>,
        state: Reads<'_>,
        network: &Network,
        subnet: Option<&Subnet>,
    ) -> Result<Vec<Ask>, Fault> {
        let spelt = self.network_interfaces.iter().flat_map(|spec| &spec.groups);
        let ids: Vec<&String> = self.security_group_ids.iter().chain(spelt).collect();
        let mut asks = Vec::new();
        for id in &ids {
            asks.push(asked::ask::<SecurityGroup>(call, state, Some(id))?);
        }
        for name in &self.security_groups {
            asks.push(asked::group(call, state, None, Some(name))?);
        }
        if let Some(subnet) = subnet.filter(|_| asks.is_empty()) {
            let default = launch::groups(network, subnet, &[])?;
            for id in &default {
                asks.push(asked::ask::<SecurityGroup>(call, state, Some(id))?);
            }
        }
        Ok(asks)
    }

    /// What has a name and no id.
    fn named(&self, call: &Call<'_>) -> Vec<Ask> {
        let region = |ask: Ask| ask.key("ec2:Region", call.region);
        let key = self
            .key_name
            .iter()
            .map(|name| region(Ask::to(call.arn("ec2", &format!("key-pair/{name}"))).key("ec2:KeyPairName", &**name)));
        let placement = self.placement.as_ref().and_then(|placement| placement.group_name.as_deref());
        let placement = placement.filter(|name| !name.is_empty());
        let placement = placement.map(|name| region(Ask::to(group(call, name)).key("ec2:PlacementGroupName", name)));
        key.chain(placement).collect()
    }
}

fn group(call: &Call<'_>, name: &str) -> String {
    call.arn("ec2", &format!("placement-group/{name}"))
}
