//! A place that hosts: replica, link, outbox, fabric, instances, control planes.
