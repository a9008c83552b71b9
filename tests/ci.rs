//! `kaito ci` as jobs run it: in clones of real repositories, with events and variables as CI systems give them, and against a forge that
//! answers over HTTP as theirs do.

mod clones;
mod comments;
mod deploy;
mod exits;
mod forge;
mod job;
