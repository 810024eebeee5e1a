//! What an instance finds in its namespace: `eth0` as EC2 sets it up.

use eksile_linux::netlink::Cidr;

use super::plan::{MAIN_TABLE, Place, Tenure, anywhere};
use super::topology::Port;

/// The primary interface has the address, the subnet's prefix and the default route. Others come
/// without: the VPC CNI sets them up itself.
pub(super) fn inside(place: &mut Place, port: &Port<'_>, device: &str, index: u32) {
    if place.settings.is_empty() {
        place.settings = Place::quiet().settings;
    }
    place.tenure = Tenure::Tenant;
    if index == 0 {
        primary(place, port, device);
    }
}

/// Address with the subnet's prefix, default route to base+1, which the router answers for.
pub(super) fn primary(place: &mut Place, port: &Port<'_>, device: &str) {
    place.addresses.insert((device.to_owned(), Cidr { address: port.address, length: port.subnet.block.length }));
    place.via(MAIN_TABLE, anywhere(), device, Some(port.subnet.block.nth(1)));
}
