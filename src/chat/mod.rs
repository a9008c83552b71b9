//! What is said to a model that runs, and what it answers: the protocol of OpenAI, which Kaito's images speak, and the older `/chat` of Kaito 0.3.
//!
//! [`Protocol`] makes requests, [`Answer`] reads what comes back as it comes, [`Place`] says where to ask.

mod answer;
mod place;
mod printable;
mod protocol;

pub use answer::{Answer, refusal};
pub use place::{Place, place};
pub use printable::printable;
pub use protocol::{MODELS, Message, Protocol, Wishes};
