//! Policies are compiled once, and anew when they change.

use std::sync::Arc;

use eksile_aws::policy::Document;
use eksile_aws::{Directory, Policies, Reads, Vantage};
use eksile_iam::IamDirectory;
use eksile_kit::Signer;

use crate::world::{KEY, World};

const READ: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}}"#;

async fn iam(world: &World, form: &str) {
    let signer = Signer { access_key_id: KEY.0, secret: KEY.1, service: "iam", region: "us-east-1" };
    assert_eq!(world.door.handle(signer.query("2010-05-08", form), Vantage::host()).await.status(), 200, "{form}");
}

fn policies(world: &World, directory: &IamDirectory) -> Policies {
    let view = world.store.view();
    let state = Reads::of(&view);
    let caller = directory.credential(state, KEY.0).unwrap().unwrap().caller;
    directory.policies(state, &caller).unwrap()
}

fn same(a: &Arc<Document>, b: &Arc<Document>) -> bool {
    Arc::ptr_eq(a, b)
}

#[tokio::test]
async fn a_policy_is_compiled_once_for_as_long_as_it_stays() {
    let (world, directory) = (World::start().await, IamDirectory::default());
    iam(&world, &format!("Action=PutUserPolicy&UserName=admin&PolicyName=p&PolicyDocument={READ}")).await;
    let first = policies(&world, &directory);
    let again = policies(&world, &directory);
    assert_eq!(first.identity.len(), 2);
    assert!(first.identity.iter().zip(&again.identity).all(|(a, b)| same(a, b)));
    // Another record changes nothing here.
    iam(&world, "Action=CreateUser&UserName=other").await;
    let again = policies(&world, &directory);
    assert!(first.identity.iter().zip(&again.identity).all(|(a, b)| same(a, b)));
    // Another document under the same name.
    iam(
        &world,
        &format!(
            "Action=PutUserPolicy&UserName=admin&PolicyName=p&PolicyDocument={}",
            READ.replace("Describe", "Create")
        ),
    )
    .await;
    let changed = policies(&world, &directory);
    assert!(!same(&first.identity[0], &changed.identity[0]));
    iam(&world, "Action=DeleteUserPolicy&UserName=admin&PolicyName=p").await;
    assert_eq!(policies(&world, &directory).identity.len(), 1);
}
