//! The views as SQL files, their registry, and the pipeline that keeps them true.
