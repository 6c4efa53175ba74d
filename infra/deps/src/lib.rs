//! Every third-party crate of the workspace, with the features it is used with.
//!
//! Nothing depends on this crate. Selecting it beside another (`cargo t -p millrace-engine`) makes
//! cargo resolve the same features as a build of the whole workspace, so nothing is compiled twice.
