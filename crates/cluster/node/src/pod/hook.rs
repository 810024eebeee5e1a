//! Lifecycle hooks (Kubernetes documentation, "Container Lifecycle Hooks").

use k8s_openapi::api::core::v1::{LifecycleHandler, Pod};

use super::handler::{Action, Target};

const AGENT: &str = "kube-lifecycle/1.33";

/// Runs a hook to its end. Why it failed is for the node's log and the container's status; events do not have it,
/// since what a container wrote may be secret.
pub(crate) async fn run(handler: &LifecycleHandler, target: &Target, pod: &Pod) -> Result<(), String> {
    let container = &target.container;
    let whom = || format!("for Container \"{container}\" in Pod \"{}\" failed", long_name(pod));
    match Action::from(handler) {
        Action::Exec(command) => target.command(command.clone()).await.map_err(|failed| {
            let words = command.join(" ");
            let error = match failed.code {
                Some(code) => format!("command '{words}' exited with {code}: {}", failed.said),
                None => failed.said.clone(),
            };
            let what = format!("Exec lifecycle hook ([{words}])");
            format!("{what} {} - error: {error}, message: {:?}", whom(), failed.said)
        }),
        // Any answer will do: only one that does not come is a failure.
        Action::Get(get) => target.get(&get, AGENT).await.map(drop).map_err(|error| {
            let what = format!("HTTP lifecycle hook ({})", get.path.as_deref().unwrap_or_default());
            format!("{what} {} - error: {error}", whom())
        }),
        Action::Sleep(time) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Action::Dial(_) | Action::Grpc(_) | Action::Unknown => {
            Err(format!("Cannot run handler: invalid handler: {handler:?}"))
        }
    }
}

/// `NAME_NAMESPACE(UID)`.
pub(crate) fn long_name(pod: &Pod) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}_{}({})", part(&pod.metadata.name), part(&pod.metadata.namespace), part(&pod.metadata.uid))
}
