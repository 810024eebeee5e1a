//! From nothing to a container's log, and what the clients say of it.

use std::time::Duration;

use eksile_tests::installation::{Installation, STRANGER, until};

/// The README's first command.
pub(crate) fn quickstart(at: &Installation) {
    let out = at.eksile(&["quickstart"]).good();
    assert!(out.contains("hello from hello"), "{out}");
    assert!(out.contains("It stands"), "{out}");
}

pub(crate) fn clients_see_it(at: &Installation) {
    // As the EKS user guide's "Create a local cluster on an Outpost" looks at the control plane's instances.
    let names = at.client(
        "aws",
        &["ec2", "describe-instances", "--query", "Reservations[*].Instances[*].{Name:Tags[?Key==`Name`]|[0].Value}"],
    );
    assert_eq!(names.good().matches("my-cluster-control-plane-").count(), 3);
    let cluster = at.aws("eks describe-cluster --name my-cluster --query cluster").json();
    assert_eq!(cluster["status"], "ACTIVE");
    assert!(cluster["endpoint"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{cluster}");
    assert_eq!(cluster["resourcesVpcConfig"]["endpointPublicAccess"], false);
    assert_eq!(at.aws("eks list-clusters --query clusters --output text").good(), "my-cluster");
    assert!(at.kubectl("get svc").good().contains("kubernetes   ClusterIP   172.20.0.1"));
    let node = at.kubectl("get nodes -o jsonpath={.items[0].metadata.name}").good();
    assert!(node.starts_with("ip-10-0-1-") && node.ends_with(".us-west-2.compute.internal"), "{node}");
    assert_eq!(at.kubectl("auth whoami -o jsonpath={.status.userInfo.username}").good(), "kubernetes-admin");
    assert_eq!(at.kubectl("exec hello -- hostname").good(), "hello");
    let failed = at.client("kubectl", &["exec", "hello", "--", "/bin/sh", "-c", "exit 7"]);
    assert!(failed.bad().contains("exit code 7"));
    assert!(at.kubectl("logs hello --tail=1").good().contains("UTC"));
    assert!(at.kubectl("explain pod.spec.nodeName").good().contains("nodeName"));
    // The image came over the VPC: the node has it, and it is the registry's.
    let image = at.kubectl("get pod hello -o jsonpath={.status.containerStatuses[0].imageID}").good();
    assert!(image.contains(".dkr.ecr.us-west-2.amazonaws.com/busybox@sha256:"), "{image}");
}

/// Neither the instance nor a pod that mounts the instance's root sees this machine's `/home`, or the data folder.
pub(crate) fn the_machine_is_out_of_sight(at: &Installation) {
    let image = at.kubectl("get pod hello -o jsonpath={.spec.containers[0].image}").good();
    let node = at.kubectl("get pod hello -o jsonpath={.spec.nodeName}").good();
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: peek}}\nspec:\n  nodeName: {node}\n  volumes:\n  \
         - {{name: root, hostPath: {{path: /}}}}\n  containers:\n  - name: peek\n    image: {image}\n    \
         command: [\"/bin/sh\", \"-c\", \"sleep 600\"]\n    volumeMounts:\n    - {{name: root, mountPath: /host}}\n"
    );
    let file = at.scratch.path().join("peek.yaml");
    std::fs::write(&file, pod).unwrap();
    at.client("kubectl", &["apply", "-f", file.to_str().unwrap()]).good();
    until("the pod runs", Duration::from_secs(30), || {
        let phase = at.kubectl("get pod peek -o jsonpath={.status.phase}").good();
        if phase == "Running" { Ok(()) } else { Err(phase) }
    });
    let peek = |words: &str| at.client("kubectl", &["exec", "peek", "--", "/bin/sh", "-c", words]);
    assert!(peek("ls /host/etc/eks").good().contains("bootstrap.sh"), "it does see the instance");
    let home = peek("ls /host/home");
    assert!(home.out.is_empty(), "{}", home.out);
    let data = at.data.path().display().to_string();
    peek(&format!("ls /host{data}")).bad();
    at.kubectl("delete pod peek --grace-period=1").good();
}

pub(crate) fn a_stranger_is_refused(at: &Installation) {
    let (key, secret, _) = STRANGER;
    let refused = at.aws_stranger("eks describe-cluster --name my-cluster").bad();
    assert!(refused.contains("ResourceNotFoundException"), "{refused}");
    assert_eq!(at.aws_stranger("eks list-clusters --query length(clusters)").good(), "0");
    let wrong = at.client_with("aws", &["sts", "get-caller-identity"], &[("AWS_SECRET_ACCESS_KEY", "wrong")]).bad();
    assert!(wrong.contains("SignatureDoesNotMatch"), "{wrong}");
    let theirs = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)];
    let refused = at.client_with("kubectl", &["get", "nodes"], &theirs).bad();
    assert!(refused.contains("Unauthorized") || refused.contains("provide credentials"), "{refused}");
}

/// Deleting it all, with the waiters' view of it.
pub(crate) fn taken_down(at: &Installation) {
    let query = "ec2 describe-instances --filters Name=tag:Name,Values=my-cluster-node --output text --query";
    let node = at.aws(&format!("{query} Reservations[].Instances[].InstanceId")).good();
    at.aws(&format!("ec2 terminate-instances --instance-ids {node}")).good();
    until("the node is terminated", Duration::from_secs(30), || {
        let state = at.aws(&format!("{query} Reservations[].Instances[].State.Name")).good();
        if state == "terminated" { Ok(()) } else { Err(state) }
    });
    assert_eq!(at.aws("eks delete-cluster --name my-cluster --query cluster.status --output text").good(), "DELETING");
    until("the cluster is gone", Duration::from_secs(30), || {
        let described = at.aws("eks describe-cluster --name my-cluster");
        if !described.ok && described.err.contains("ResourceNotFoundException") { Ok(()) } else { Err(described.out) }
    });
    assert!(!at.kubectl("get nodes --request-timeout=3s").ok);
}

/// `eksile logs`, from outside of the instances.
pub(crate) fn logs_are_at_hand(at: &Installation) {
    let query = "ec2 describe-instances --filters Name=tag:Name,Values=my-cluster-node --output text --query";
    let node = at.aws(&format!("{query} Reservations[].Instances[].InstanceId")).good();
    let kubelet = format!("{node}/kubelet");
    let names = at.eksile(&["logs"]).good();
    assert!(names.lines().any(|name| name == node) && names.lines().any(|name| name == kubelet), "{names}");
    at.eksile(&["logs", &node]).good();
    assert!(at.eksile(&["logs", &kubelet]).good().contains("kubelet["));
    assert!(!at.eksile(&["logs", &format!("{node}/cloud-init-output")]).good().is_empty());
    let unknown = at.eksile(&["logs", "nobody"]).bad();
    assert!(unknown.contains("there is no log of \"nobody\"") && unknown.contains(&kubelet), "{unknown}");
}
