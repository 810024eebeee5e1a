use anyhow::Result;

use super::shell::Shell;

/// What later steps need of IAM.
pub(super) struct Roles {
    /// The local cluster's role.
    pub cluster_arn: String,
    /// The node's role.
    pub node_arn: String,
    /// The node's instance profile, by name.
    pub profile: &'static str,
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const CLUSTER_ROLE: &str = "myAmazonEKSLocalClusterRole";
const NODE_ROLE: &str = "myAmazonEKSNodeRole";

/// The roles of the EKS user guide's "Create a local cluster on an Outpost", and of its nodes.
pub(super) fn make(shell: &Shell, account: &str) -> Result<Roles> {
    shell.heading("Roles for the cluster and for its nodes");
    let roles = [
        (CLUSTER_ROLE, &["AmazonEKSLocalOutpostClusterPolicy"][..]),
        (NODE_ROLE, &["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"][..]),
    ];
    for (role, policies) in roles {
        let document = ["--role-name", role, "--assume-role-policy-document", TRUST];
        shell.text("iam create-role", &[&document[..], &["--query", "Role.Arn"]].concat())?;
        for policy in policies {
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            shell.aws("iam attach-role-policy", &["--role-name", role, "--policy-arn", &arn])?;
        }
    }
    shell.text(
        "iam create-instance-profile",
        &["--instance-profile-name", NODE_ROLE, "--query", "InstanceProfile.Arn"],
    )?;
    shell.aws("iam add-role-to-instance-profile", &["--instance-profile-name", NODE_ROLE, "--role-name", NODE_ROLE])?;
    let arn = |role: &str| format!("arn:aws:iam::{account}:role/{role}");
    Ok(Roles { cluster_arn: arn(CLUSTER_ROLE), node_arn: arn(NODE_ROLE), profile: NODE_ROLE })
}
