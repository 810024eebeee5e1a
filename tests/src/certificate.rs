//! A client certificate of the cluster, made as the EKS user guide's "Prepare for network disconnects" makes it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::installation::{Done, Installation, until};

const SOON: Duration = Duration::from_secs(20);

/// Steps 1 to 9 of the document, with openssl and kubectl. Returns the kubeconfig.
pub fn client_certificate(at: &Installation) -> PathBuf {
    let folder = at.scratch.path().join("admin");
    fs::create_dir(&folder).unwrap();
    let file = |name: &str| folder.join(name).display().to_string();
    let (key, csr, crt, ca) = (file("admin.key"), file("admin.csr"), file("admin.crt"), file("ca.crt"));
    let request = ["req", "-new", "-newkey", "rsa:4096", "-nodes", "-keyout", &key, "-out", &csr, "-subj", "/CN=admin"];
    at.client("openssl", &request).good();
    let encoded = at.client("base64", &["-w0", &csr]).good();
    let manifest = format!(
        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata:\n  name: admin-csr\nspec:\n  \
         signerName: kubernetes.io/kube-apiserver-client\n  request: {encoded}\n  usages:\n  - client auth\n"
    );
    fs::write(folder.join("admin-csr.yaml"), manifest).unwrap();
    at.client("kubectl", &["create", "-f", &file("admin-csr.yaml")]).good();
    let listed = at.kubectl("get csr admin-csr").good();
    assert!(listed.contains("kubernetes-admin") && listed.contains("Pending"), "{listed}");
    at.kubectl("certificate approve admin-csr").good();
    let issued = until("the certificate is issued", SOON, || {
        let text = at.kubectl("get csr admin-csr -o jsonpath={.status.certificate}").good();
        if text.is_empty() { Err("no certificate".to_owned()) } else { Ok(text) }
    });
    assert!(at.kubectl("get csr admin-csr").good().contains("Approved,Issued"));
    let decode = |text: &str, to: &str| {
        fs::write(folder.join("encoded"), text).unwrap();
        let decoded = Command::new("base64").args(["-d", &file("encoded")]).output().unwrap();
        fs::write(to, decoded.stdout).unwrap();
    };
    decode(&issued, &crt);
    at.kubectl("create clusterrolebinding admin --clusterrole=cluster-admin --user=admin --group=system:masters")
        .good();
    let authority = "eks describe-cluster --name my-cluster --query cluster.certificateAuthority --output text";
    decode(&at.aws(authority).good(), &ca);
    let endpoint = at.aws("eks describe-cluster --name my-cluster --query cluster.endpoint --output text").good();
    let kubeconfig = file("admin.kubeconfig");
    for words in [
        format!("set-cluster my-cluster --certificate-authority={ca} --server {endpoint} --embed-certs"),
        format!("set-credentials admin --client-certificate={crt} --client-key={key} --embed-certs"),
        "set-context admin@my-cluster --cluster my-cluster --user admin".to_owned(),
        "use-context admin@my-cluster".to_owned(),
    ] {
        at.kubectl(&format!("config {words} --kubeconfig {kubeconfig}")).good();
    }
    let path = PathBuf::from(kubeconfig);
    assert!(with(at, &path, "get nodes").good().contains("Ready"));
    path
}

/// kubectl with the client certificate.
pub fn with(at: &Installation, kubeconfig: &Path, words: &str) -> Done {
    let words = format!("--kubeconfig {} {words}", kubeconfig.display());
    at.kubectl(&words)
}
