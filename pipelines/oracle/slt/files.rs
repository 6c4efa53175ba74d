//! Nothing: this package is there for the files of its dependency.
