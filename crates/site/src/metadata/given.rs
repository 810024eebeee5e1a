use std::collections::HashMap;
use std::sync::{Arc, Mutex as Held, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use super::Credentials;

/// How long an answer of the Region's is told again, an error too. Short: whoever loses the role loses it soon.
const KEPT: Duration = Duration::from_secs(3);

type Answer = Result<Value, String>;
type Last = Arc<Mutex<Option<(Instant, Answer)>>>;

/// Credentials of roles, asked of the Region: one question at a time for an instance, however many ask here.
pub(super) struct Given {
    from: Arc<dyn Credentials>,
    last: Held<HashMap<(String, String), Last>>,
}

impl Given {
    pub(super) fn new(from: Arc<dyn Credentials>) -> Self {
        Self { from, last: Held::default() }
    }

    pub(super) async fn of(&self, instance_id: &str, delivery: &str) -> Answer {
        let last = self.last(instance_id, delivery);
        let mut last = last.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < KEPT
        {
            return answer.clone();
        }
        let answer = self.from.of(instance_id, delivery).await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    fn last(&self, instance_id: &str, delivery: &str) -> Last {
        let mut all = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has not asked of late is forgotten, with the secrets.
        all.retain(|_, last| {
            let old = last.try_lock().is_ok_and(|last| last.as_ref().is_some_and(|(at, _)| at.elapsed() >= KEPT));
            !old || Arc::strong_count(last) > 1
        });
        Arc::clone(all.entry((instance_id.to_owned(), delivery.to_owned())).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counted(AtomicUsize);

    impl Credentials for Counted {
        fn of<'a>(&'a self, _: &'a str, _: &'a str) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(self.0.fetch_add(1, Ordering::Relaxed).into())
            })
        }
    }

    #[tokio::test]
    async fn many_who_ask_at_once_are_one_question() {
        let counted = Arc::new(Counted(AtomicUsize::new(0)));
        let given = Arc::new(Given::new(Arc::clone(&counted) as Arc<dyn Credentials>));
        let asking = (0..500).map(|_| {
            let given = Arc::clone(&given);
            tokio::spawn(async move { given.of("i-1", "2.0").await })
        });
        for asked in asking.collect::<Vec<_>>() {
            assert_eq!(asked.await.unwrap(), Ok(0.into()));
        }
        assert_eq!(given.of("i-1", "1.0").await, Ok(1.into()), "how it was delivered is part of the session");
        assert_eq!(given.of("i-2", "2.0").await, Ok(2.into()), "another instance has its own");
        assert_eq!(counted.0.load(Ordering::Relaxed), 3);
    }
}
