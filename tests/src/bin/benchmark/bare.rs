//! A program that does nothing but send: the limit that scanners are measured against.
//!
//! One thread, one transmit ring past the queueing discipline, SYN frames that are built beforehand: only the
//! destination and the checksums change from one to the next.

use std::ffi::CString;
use std::time::{Duration, Instant};

use crate::Fault;
use crate::kernel::{self, Passing, Ring};
use crate::rig::{DEVICE, SCANNER_MAC, TARGET_MAC};

/// Ethernet, IPv4 and TCP without options.
const LENGTH: usize = 54;
/// How many frames wait before the kernel is called.
const BATCH: u32 = 256;

/// Sends to every address of 198.18.0.0/16, port after port, for so long. The namespace must be one of the lab.
pub fn send(seconds: u64, passing: Passing) -> Result<(), Fault> {
    let device = CString::new(DEVICE)?;
    let frame = template();
    let mut ring = Ring::open(kernel::interface(&device)?, &frame, passing)?;
    let ip_sum = sum(&frame[14..34]);
    let tcp_sum = sum(&frame[34..54]) + sum(&frame[26..34]) + 6 + 20;
    let end = Instant::now() + Duration::from_secs(seconds.min(60));
    let mut number = 0_u32;
    while Instant::now() < end {
        for _ in 0..BATCH {
            let [port_high, port_low, host_high, host_low] = number.to_be_bytes();
            let (host, port) = ([host_high, host_low], [port_high, port_low.max(1)]);
            let host_sum = u32::from(u16::from_be_bytes(host));
            let port_sum = u32::from(u16::from_be_bytes(port));
            let changes = [
                (24, fold(ip_sum + host_sum)),
                (32, host),
                (36, port),
                (50, fold(tcp_sum + host_sum + port_sum)),
            ];
            if !ring.put(&changes) {
                break;
            }
            number = number.wrapping_add(1);
        }
        ring.kick()?;
    }
    Ok(())
}

/// A SYN from 198.19.0.1 to 198.18.0.0, port 0, without checksums.
fn template() -> [u8; LENGTH] {
    let mut frame = [0; LENGTH];
    frame[..6].copy_from_slice(&TARGET_MAC);
    frame[6..12].copy_from_slice(&SCANNER_MAC);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    // Version and length, 40 bytes in all, may not be fragmented, 64 hops, TCP.
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
    frame[26..30].copy_from_slice(&[198, 19, 0, 1]);
    frame[30..34].copy_from_slice(&[198, 18, 0, 0]);
    // Source port, sequence number, length of the header, SYN, window.
    frame[34..36].copy_from_slice(&40_000_u16.to_be_bytes());
    frame[38..42].copy_from_slice(&[1, 2, 3, 4]);
    frame[46..50].copy_from_slice(&[0x50, 0x02, 0x04, 0x00]);
    frame
}

/// The sum of 16-bit words (RFC 1071), not folded.
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2);
    words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum()
}

fn fold(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    [high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        let header = [
            0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,
            0xc7,
        ];
        assert_eq!(fold(sum(&header)), [0xb8, 0x61]);
    }
}
