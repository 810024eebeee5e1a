//! What follows from instances ending and time passing.

mod departure;

pub use departure::{Action, Departures, plan};
