//! A message of the in-process bus in a consumer's hands.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::queues::{Queues, Waiting};
use crate::RetryDelays;
use crate::delivery::{Letter, Outcome, Settle};

/// What settles one delivery.
pub(super) struct InHand {
    pub queues: Arc<Queues>,
    pub delays: RetryDelays,
    pub settled: Option<oneshot::Sender<()>>,
    /// Makes room for the next delivery when it is dropped.
    pub permit: OwnedSemaphorePermit,
}

impl InHand {
    /// Tells the publisher that its message has come to an end.
    fn conclude(self) {
        if let Some(settled) = self.settled {
            // A publisher that no longer waits does not mind.
            let _ = settled.send(());
        }
        drop(self.permit);
        self.queues.tell();
    }

    fn put_back(self, letter: Letter) {
        drop(self.permit);
        self.queues.put_back(Waiting {
            letter,
            settled: self.settled,
        });
    }
}

#[async_trait]
impl Settle for InHand {
    async fn settle(self: Box<Self>, letter: Letter, outcome: Outcome) {
        match outcome {
            Outcome::Ack => self.conclude(),
            Outcome::Dead { reason } => {
                let queue = letter.route.queue();
                self.queues.bury(letter, Some(queue), reason);
                self.conclude();
            }
            Outcome::HandBack => self.put_back(letter),
            Outcome::Retry { step, .. } => {
                let Self {
                    queues,
                    delays,
                    settled,
                    permit,
                } = *self;
                drop(permit);
                queues.tell();
                let letter = Letter {
                    attempt: letter.attempt.saturating_add(1),
                    ..letter
                };
                tokio::spawn(async move {
                    tokio::select! {
                        () = queues.closed().cancelled() => {}
                        () = tokio::time::sleep(delays.of(step)) => {
                            queues.push_again(Waiting { letter, settled });
                        }
                    }
                });
            }
        }
    }

    fn abandon(self: Box<Self>, letter: Letter) {
        self.put_back(letter);
    }
}
