//! The service link: one mutually authenticated stream between a site and its Region.
//!
//! The site opens it, says how far its replica has come, and from then on receives every change of the
//! records that concern it; the other way it sends the contents of its outbox and asks questions that
//! only the Region can answer. Both ends send a [`Message::Ping`] every [`Timing::ping`] and give the
//! stream up after [`Timing::silence`] without a frame: nobody tells them that the link is cut.

mod client;
mod concern;
mod frame;
mod server;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use client::{Attempt, Connect, Connection, LinkClient, LinkState};
pub use concern::concerns;
use frame::Frames;
pub use frame::{FrameError, MAX_FRAME, read_frame, write_frame};
pub use server::{Answerer, LinkServer, SessionError, SiteLink, site_links};

/// How often the ends speak, and how long they believe in a silent stream.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Pause between pings.
    pub ping: Duration,
    /// Silence after which the stream is given up.
    pub silence: Duration,
    /// Longest pause between attempts to connect.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { ping: Duration::from_millis(500), silence: Duration::from_secs(2), retry: Duration::from_secs(1) }
    }
}

/// What travels over the link, either way. Unknown messages end the stream.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Site, first: who it is and how far its replica has come.
    Hello {
        /// The site's name; must be the one its certificate bears.
        site: String,
        /// Identity of the store that the replica was made from; empty for none.
        store: String,
        /// Last revision that the replica holds completely.
        revision: u64,
    },
    /// Region, in answer: whether the replica can be continued or is sent whole.
    Welcome {
        /// Identity of the Region's store.
        store: String,
        /// Last report that the Region has taken from this site.
        reported: u64,
        /// The records that follow, up to [`Message::Progress`], are all there are.
        snapshot: bool,
    },
    /// Region: one record as it now is, or its end.
    Change {
        /// The Region's revision that made it so.
        revision: u64,
        /// Key in the Region's store, and in the replica.
        key: String,
        /// Stored form; absent when it was deleted.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Box<RawValue>>,
    },
    /// Region: everything up to this revision has been sent.
    Progress {
        /// The Region's revision.
        revision: u64,
    },
    /// Site: one observation from the outbox.
    Report {
        /// Position in the outbox, from 1.
        seq: u64,
        /// Key in the Region's store.
        key: String,
        /// Stored form; absent when there is nothing to observe any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Box<RawValue>>,
    },
    /// Region: reports up to this one are durable.
    Taken {
        /// Position in the outbox.
        seq: u64,
    },
    /// Site: a question that only the Region can answer.
    Ask {
        /// Chosen by the site, unique in the stream.
        id: u64,
        /// What is asked.
        question: Question,
    },
    /// Region: the answer.
    Answer {
        /// The question's.
        id: u64,
        /// The answer, or why there is none.
        result: Result<serde_json::Value, String>,
    },
    /// Either: still here.
    Ping,
}

/// What a site may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Temporary credentials of an instance's role, as the metadata service hands them out.
    InstanceCredentials {
        /// The instance; it must be one of the asking site's.
        instance_id: String,
        /// The metadata service's version that was asked: `1.0` or `2.0` (`ec2:RoleDelivery`).
        delivery: String,
    },
}
