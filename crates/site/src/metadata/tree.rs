use eksile_ec2::records::{Instance, NetworkInterface, Subnet, Vpc};
use eksile_eks::records::{Cluster, ObservedCluster};
use eksile_store::{RecordError, Scope, View};
use serde_json::json;

/// What one instance may read, but for its credentials: pairs of path and content.
pub struct Tree {
    leaves: Vec<(String, Vec<u8>)>,
}

impl Tree {
    /// Reads it from a site's store.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn of(view: &View, scope: &Scope, instance: &Instance) -> Result<Self, RecordError> {
        let mut tree = Self { leaves: Vec::new() };
        tree.add_instance(view, scope, instance)?;
        for id in &instance.network_interface_ids {
            if let Some(interface) = view.record::<NetworkInterface>(scope, id)? {
                tree.add_interface(view, scope, &interface)?;
            }
        }
        tree.add_clusters(view, scope)?;
        Ok(tree)
    }

    /// A leaf's content, or the listing of what is below a folder.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        let path = path.trim_matches('/');
        if let Some((_, content)) = self.leaves.iter().find(|(leaf, _)| leaf == path) {
            return Some(content.clone());
        }
        let folder = format!("{path}/");
        let mut names: Vec<String> = Vec::new();
        for rest in self.leaves.iter().filter_map(|(leaf, _)| leaf.strip_prefix(&folder)) {
            let name = rest.split_once('/').map_or_else(|| rest.to_owned(), |(first, _)| format!("{first}/"));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        (!names.is_empty()).then(|| names.join("\n").into_bytes())
    }

    fn put(&mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.leaves.push((path.into(), content.into()));
    }

    fn add_instance(&mut self, view: &View, scope: &Scope, instance: &Instance) -> Result<(), RecordError> {
        let subnet = view.record::<Subnet>(scope, &instance.subnet_id)?;
        let (zone, zone_id) =
            subnet.map_or_else(Default::default, |subnet| (subnet.availability_zone, subnet.availability_zone_id));
        for (name, value) in [
            ("ami-id", instance.image_id.as_str()),
            ("ami-launch-index", &instance.ami_launch_index.to_string()),
            ("instance-action", "none"),
            ("instance-life-cycle", "on-demand"),
            ("hostname", &instance.private_dns_name),
            ("instance-id", &instance.instance_id),
            ("instance-type", &instance.instance_type),
            ("local-hostname", &instance.private_dns_name),
            ("local-ipv4", &instance.private_ip),
            ("reservation-id", &instance.reservation_id),
            ("placement/availability-zone", &zone),
            ("placement/availability-zone-id", &zone_id),
            ("placement/region", &scope.region),
            ("services/domain", "amazonaws.com"),
            ("services/partition", "aws"),
        ] {
            self.put(format!("latest/meta-data/{name}"), value);
        }
        if let Some(profile) = &instance.instance_profile {
            let info = json!({ "Code": "Success", "InstanceProfileArn": profile.arn, "InstanceProfileId": profile.id });
            self.put("latest/meta-data/iam/info", info.to_string());
            // A folder, for listings; what is in it is not of this tree.
            self.put("latest/meta-data/iam/security-credentials/", "");
        }
        if instance.metadata_options.tags {
            for (key, value) in instance.tags.iter().filter(|(key, _)| !key.contains('/')) {
                self.put(format!("latest/meta-data/tags/instance/{key}"), value.clone());
            }
        }
        if let Some(user_data) = &instance.user_data {
            self.put("latest/user-data", user_data.clone());
        }
        let identity = json!({
            "accountId": scope.account,
            "architecture": "x86_64",
            "availabilityZone": zone,
            "imageId": instance.image_id,
            "instanceId": instance.instance_id,
            "instanceType": instance.instance_type,
            "privateIp": instance.private_ip,
            "region": scope.region,
            "version": "2017-09-30",
        });
        self.put("latest/dynamic/instance-identity/document", identity.to_string());
        Ok(())
    }

    fn add_interface(&mut self, view: &View, scope: &Scope, eni: &NetworkInterface) -> Result<(), RecordError> {
        if eni.attachment.as_ref().is_some_and(|attachment| attachment.device_index == 0) {
            self.put("latest/meta-data/mac", eni.mac_address.clone());
        }
        let folder = format!("latest/meta-data/network/interfaces/macs/{}", eni.mac_address);
        let addresses: Vec<&str> =
            std::iter::once(&eni.private_ip).chain(&eni.secondary_private_ips).map(String::as_str).collect();
        self.put(format!("{folder}/local-ipv4s"), addresses.join("\n"));
        self.put(format!("{folder}/interface-id"), eni.network_interface_id.clone());
        self.put(format!("{folder}/security-group-ids"), eni.groups.join("\n"));
        self.put(format!("{folder}/subnet-id"), eni.subnet_id.clone());
        self.put(format!("{folder}/vpc-id"), eni.vpc_id.clone());
        let number = eni.attachment.as_ref().map_or(0, |attachment| attachment.device_index);
        self.put(format!("{folder}/device-number"), number.to_string());
        if let Some(subnet) = view.record::<Subnet>(scope, &eni.subnet_id)? {
            self.put(format!("{folder}/subnet-ipv4-cidr-block"), subnet.cidr_block);
        }
        if let Some(vpc) = view.record::<Vpc>(scope, &eni.vpc_id)? {
            self.put(format!("{folder}/vpc-ipv4-cidr-block"), vpc.cidr_block.clone());
            self.put(format!("{folder}/vpc-ipv4-cidr-blocks"), vpc.cidr_block);
        }
        Ok(())
    }

    /// The product's own: how a cluster is reached from inside the fabric, whatever its endpoint is on the host.
    fn add_clusters(&mut self, view: &View, scope: &Scope) -> Result<(), RecordError> {
        for cluster in view.records::<Cluster>(scope)? {
            let observed: Option<ObservedCluster> = view.record(&Scope::observed(&*cluster.site), &cluster.id)?;
            let addresses: Vec<&str> = cluster.members.iter().map(|member| member.private_ip.as_str()).collect();
            let document = json!({
                "id": cluster.id,
                "endpoint_name": cluster.endpoint_name,
                "addresses": addresses,
                "certificate_authority_data": observed.and_then(|observed| observed.certificate_authority_data),
            });
            self.put(format!("latest/eksile/clusters/{}", cluster.name), document.to_string());
        }
        Ok(())
    }
}
