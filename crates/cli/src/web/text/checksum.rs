//! The checksums that simple protocols put behind their messages.

use serde::{Deserialize, Serialize};

/// Which one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Checksum {
    /// None.
    #[default]
    None,
    /// The sum of all bytes, modulo 256.
    Sum,
    /// All bytes, exclusive-or.
    Xor,
    /// CRC-16/MODBUS. Modbus itself sends the low byte first.
    Crc16Modbus,
    /// CRC-16/CCITT-FALSE, also called CRC-16/IBM-3740.
    Crc16Ccitt,
    /// The CRC-32 of Ethernet and zip.
    Crc32,
}

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// The highest.
    #[default]
    Big,
    /// The lowest.
    Little,
}

impl Checksum {
    /// As the API names them.
    pub(crate) const NAMES: [&str; 6] = ["none", "sum", "xor", "crc16-modbus", "crc16-ccitt", "crc32"];

    /// The bytes to stand behind `bytes`.
    pub(crate) fn of(self, bytes: &[u8], order: Order) -> Vec<u8> {
        let (value, width) = match self {
            Checksum::None => return Vec::new(),
            Checksum::Sum => (bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)).into(), 1),
            Checksum::Xor => (bytes.iter().fold(0, |sum, byte| sum ^ byte).into(), 1),
            Checksum::Crc16Modbus => (reflected(bytes, 0xA001, 0xFFFF), 2),
            Checksum::Crc16Ccitt => (ccitt(bytes).into(), 2),
            Checksum::Crc32 => (!reflected(bytes, 0xEDB8_8320, u32::MAX), 4),
        };
        let highest_first = value.to_be_bytes();
        let mut checksum = highest_first.get(4 - width..).unwrap_or_default().to_vec();
        if order == Order::Little {
            checksum.reverse();
        }
        checksum
    }
}

/// A CRC whose bits are taken lowest first.
fn reflected(bytes: &[u8], polynomial: u32, initial: u32) -> u32 {
    bytes.iter().fold(initial, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ polynomial } else { crc >> 1 },
        )
    })
}

fn ccitt(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte) << 8,
            |crc: u16, _| {
                if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of parametrised CRC algorithms.
    #[test]
    fn the_check_values_are_the_published_ones() {
        let of = |checksum: Checksum, order| checksum.of(b"123456789", order);
        assert!(of(Checksum::None, Order::Big).is_empty());
        assert_eq!(of(Checksum::Sum, Order::Big), [0xDD]);
        assert_eq!(of(Checksum::Xor, Order::Little), [0x31]);
        assert_eq!(of(Checksum::Crc16Modbus, Order::Big), [0x4B, 0x37]);
        assert_eq!(of(Checksum::Crc16Modbus, Order::Little), [0x37, 0x4B]);
        assert_eq!(of(Checksum::Crc16Ccitt, Order::Big), [0x29, 0xB1]);
        assert_eq!(of(Checksum::Crc32, Order::Big), [0xCB, 0xF4, 0x39, 0x26]);
        assert_eq!(of(Checksum::Crc32, Order::Little), [0x26, 0x39, 0xF4, 0xCB]);
    }

    #[test]
    fn the_names_are_those_of_the_api() {
        for name in Checksum::NAMES {
            let checksum: Checksum = serde_json::from_value(name.into()).unwrap();
            assert_eq!(serde_json::to_value(checksum).unwrap(), name);
        }
    }
}
