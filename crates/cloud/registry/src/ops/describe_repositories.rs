use eksile_aws::{Ask, Call, Fault, Lookup, Reads, Shape};
use eksile_store::View;

use crate::records::Repository;
use crate::shapes;

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html>
#[derive(Shape)]
pub(super) struct DescribeRepositories {
    registry_id: Option<String>,
    repository_names: Vec<String>,
}

#[derive(Shape)]
pub(super) struct Output {
    repositories: Vec<shapes::Repository>,
}

impl Lookup for DescribeRepositories {
    type Output = Output;

    fn asks(&self, call: &Call<'_>, state: Reads<'_>) -> Result<Vec<Ask>, Fault> {
        match &*self.repository_names {
            [] => Ok(vec![Ask::to(shapes::arn(call, "*"))]),
            names => names.iter().map(|name| shapes::ask(call, state, name)).collect(),
        }
    }

    fn run(self, call: &Call<'_>, view: &View) -> Result<Output, Fault> {
        shapes::own_registry(self.registry_id.as_deref(), call)?;
        let repositories = if self.repository_names.is_empty() {
            view.records::<Repository>(&call.scope)?
        } else {
            let named = self
                .repository_names
                .iter()
                .map(|name| view.record::<Repository>(&call.scope, name)?.ok_or_else(|| shapes::unknown(name, call)));
            named.collect::<Result<_, _>>()?
        };
        Ok(Output { repositories: repositories.iter().map(|found| shapes::Repository::of(found, call)).collect() })
    }
}
