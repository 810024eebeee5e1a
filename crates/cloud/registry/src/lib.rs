//! ECR and the OCI distribution API in front of it.
