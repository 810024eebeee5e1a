//! NodeRestriction (`plugin/pkg/admission/noderestriction/admission.go`): a kubelet writes its own node, the status of
//! its own pods, its own mirror pods, and asks for tokens and certificates for itself and its pods only.
//!
//! The node authorizer lets kubelets make these writes without a look at what is written; this looks at it. Kinds that
//! this server has not (claims, CSI nodes, resource slices) have no writes to be judged.

mod node;
mod pod;
mod token;

use eksile_pki::Csr;
use serde_json::Value;

use crate::call::Call;
use crate::field::quote;
use crate::object::meta;
use crate::references::text;
use crate::status::StatusError;

type Admitted = Result<(), StatusError>;

/// What a write does, as upstream names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A write of a kubelet.
struct Write<'a> {
    call: &'a Call<'a>,
    node: &'a str,
    operation: Operation,
    /// What is written: the new object, or the body of an action.
    new: &'a Value,
    /// What is there.
    old: &'a Value,
}

/// Judges a create, of an object or by an action (`eviction`, `token`).
pub(super) fn create(call: &Call<'_>, new: &Value) -> Admitted {
    judge(call, Operation::Create, new, &Value::Null)
}

/// Judges a change.
pub(super) fn update(call: &Call<'_>, new: &Value, old: &Value) -> Admitted {
    judge(call, Operation::Update, new, old)
}

/// Judges a delete of what is there.
pub(super) fn delete(call: &Call<'_>, old: &Value) -> Admitted {
    judge(call, Operation::Delete, &Value::Null, old)
}

fn judge(call: &Call<'_>, operation: Operation, new: &Value, old: &Value) -> Admitted {
    let Some(node) = call.caller.node() else { return Ok(()) };
    let write = Write { call, node, operation, new, old };
    if node.is_empty() {
        let user = quote(&call.caller.user.name);
        return write.refuse(&format!("could not determine node from user {user}"));
    }
    match (&*call.resource.group, &*call.resource.plural) {
        ("", "pods") => pod::admit(&write),
        ("", "nodes") => node::admit(&write),
        ("", "serviceaccounts") if call.at.sub == "token" && operation == Operation::Create => token::admit(&write),
        ("coordination.k8s.io", "leases") => write.lease(),
        ("certificates.k8s.io", "certificatesigningrequests") if operation == Operation::Create => write.csr(),
        _ => Ok(()),
    }
}

impl Write<'_> {
    /// The name that the request is about; a create's is the object's.
    fn name(&self) -> &str {
        match self.call.at.name.as_str() {
            "" => meta(if self.operation == Operation::Delete { self.old } else { self.new }, "name"),
            name => name,
        }
    }

    fn refusal(&self, why: &str) -> StatusError {
        let name = match self.name() {
            "" => match meta(self.new, "generateName") {
                "" => "Unknown",
                generate => generate,
            },
            name => name,
        };
        StatusError::forbidden(&self.call.resource.group, &self.call.resource.plural, name, why)
    }

    fn refuse(&self, why: &str) -> Admitted {
        Err(self.refusal(why))
    }

    fn lease(&self) -> Admitted {
        if self.call.namespace() != "kube-node-lease" {
            return self.refuse("can only access leases in the \"kube-node-lease\" system namespace");
        }
        let name = if self.operation == Operation::Create { meta(self.new, "name") } else { self.name() };
        if name != self.node {
            return self.refuse("can only access node lease with the same name as the requesting node");
        }
        Ok(())
    }

    /// A certificate in a node's name is asked for by that node alone.
    fn csr(&self) -> Admitted {
        let signers = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];
        if !signers.contains(&text(self.new, "/spec/signerName")) {
            return Ok(());
        }
        let csr = Csr::of_object(text(self.new, "/spec/request"));
        let csr = csr.map_err(|why| self.refusal(&format!("unable to parse csr: {why}")))?;
        if csr.common_name != format!("system:node:{}", self.node) {
            return self.refuse(&format!("can only create a node CSR with CN=system:node:{}", self.node));
        }
        Ok(())
    }
}
