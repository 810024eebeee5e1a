//! Test kit: clocks, worlds, clients. A development dependency only.
