//! One cluster's control plane, put together.
