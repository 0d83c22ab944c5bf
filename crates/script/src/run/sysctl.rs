//! Linux's sysctls as settings of the stack: what each means here, or that it cannot be had.
//!
//! None is taken and ignored. A value that the stack always behaves by is accepted, any other is refused aloud; what
//! concerns only how Linux packs segments for its devices changes nothing that a script could see, since runs of segments
//! are put together before they are compared.

use core::str::FromStr;

use sockeye_core::stack::Config;
use sockeye_core::time::Duration;
use sockeye_core::transport::tcp::{
    CongestionName, EcnMode, FastOpen, FastOpenKeys, MtuProbing, SlowStartExit,
};

/// Values that the stack behaves by, and cannot do otherwise: name, and all that are right.
const FIXED: &[(&str, &[&str])] = &[
    ("tcp_frto", &["2"]),
    ("tcp_dsack", &["1"]),
    // Linux has had no FACK since 4.15: the number means nothing there either.
    ("tcp_fack", &["0", "1"]),
    ("tcp_reordering", &["3"]),
    ("tcp_recovery", &["1"]),
    ("tcp_pacing_ss_ratio", &["200"]),
    ("tcp_pacing_ca_ratio", &["120"]),
    ("tcp_syncookies", &["1"]),
    // Nobody is suspected of losing SYNs with data: the option and its cookie decide alone.
    ("tcp_no_metrics_save", &["1"]),
    ("tcp_autocorking", &["0"]),
    ("tcp_moderate_rcvbuf", &["1"]),
    ("tcp_adv_win_scale", &["1"]),
    ("tcp_app_win", &["31"]),
    ("tcp_abort_on_overflow", &["0"]),
    ("tcp_stdurg", &["0"]),
    ("tcp_thin_linear_timeouts", &["0"]),
];

/// How Linux packs segments: nothing that is compared depends on it.
const PACKING: &[&str] = &["tcp_tso_win_divisor", "tcp_limit_output_bytes", "tcp_tso_rtt_log"];

fn parse<T: FromStr>(value: &str) -> Result<T, String> {
    value.trim().parse().map_err(|_| format!("{value:?} is no such value"))
}

fn switch(value: &str) -> Result<bool, String> {
    match parse::<u64>(value)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("{other} is neither 0 nor 1")),
    }
}

/// A number, in hexadecimal behind `0x`.
fn bits(value: &str) -> Result<u32, String> {
    match value.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).map_err(|_| format!("{value:?} is no number")),
        None => parse(value),
    }
}

/// Keys as `tcp_fastopen_key` has them: four words of eight digits each, and perhaps a second key behind a comma.
///
/// # Errors
/// What is wrong with them.
pub fn fast_open_keys(value: &str) -> Result<FastOpenKeys, String> {
    let wrong = || format!("{value:?} is no key");
    let mut bytes = Vec::new();
    for key in value.trim().split(',') {
        let words: Vec<&str> = key.split('-').collect();
        if words.len() != 4 || words.iter().any(|word| word.len() != 8) {
            return Err(wrong());
        }
        for word in words {
            // Linux keeps each word with its least byte first.
            bytes.extend(u32::from_str_radix(word, 16).map_err(|_| wrong())?.to_le_bytes());
        }
    }
    FastOpenKeys::from_bytes(&bytes).ok_or_else(wrong)
}

fn seconds(value: &str) -> Result<Duration, String> {
    Ok(Duration::from_secs(parse(value)?))
}

/// Minimum, default and maximum of a buffer, in bytes.
fn triple(value: &str) -> Result<[usize; 3], String> {
    let numbers = value.split_whitespace().map(parse).collect::<Result<Vec<usize>, _>>()?;
    numbers.try_into().map_err(|_| format!("{value:?} are not three numbers"))
}

/// Sets the sysctl `name` (`net.ipv4.tcp_sack`, or with slashes) to `value`.
///
/// # Errors
/// In words, why that cannot be had.
pub fn set(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let dotted = name.trim_start_matches("/proc/sys/").replace('/', ".");
    let value = value.trim().trim_matches('"').trim();
    let Some(short) = dotted.strip_prefix("net.ipv4.") else {
        return Err(format!("unsupported: sysctl {dotted}"));
    };
    if PACKING.contains(&short) {
        return parse::<u64>(value).map(drop);
    }
    if let Some((_, right)) = FIXED.iter().find(|(known, _)| *known == short) {
        if right.contains(&value) {
            return Ok(());
        }
        return Err(format!("unsupported: sysctl {dotted}={value}: it is always {}", right.join(" or ")));
    }
    let tcp = &mut config.tcp;
    match short {
        "tcp_timestamps" => tcp.timestamps = switch(value)?,
        "tcp_sack" => tcp.sack = switch(value)?,
        "tcp_window_scaling" => tcp.window_scaling = switch(value)?,
        "tcp_ecn" => {
            tcp.ecn = match value {
                "0" => EcnMode::Off,
                "1" => EcnMode::On,
                "2" => EcnMode::Passive,
                "3" => EcnMode::Accurate,
                "4" => EcnMode::AccurateForPeers,
                "5" => EcnMode::AccuratePassive,
                _ => return Err(format!("unsupported: sysctl {dotted}={value}")),
            };
        }
        // Linux counts in as few fields as needed with 1, in all with 2; ours fit what room there is.
        "tcp_ecn_option" => {
            tcp.accurate_ecn_option = match value {
                "0" => false,
                "1" | "2" => true,
                _ => return Err(format!("unsupported: sysctl {dotted}={value}")),
            };
        }
        "tcp_fastopen" => config.fast_open = FastOpen::from_bits(bits(value)?),
        "tcp_fastopen_blackhole_timeout_sec" => config.fast_open_pause = seconds(value)?,
        // 3 and 4 both mean probes for lost tails and nothing else (RFC 8985 section 7).
        "tcp_early_retrans" => {
            tcp.loss_probe = match value {
                "0" => false,
                "3" | "4" => true,
                _ => return Err(format!("unsupported: sysctl {dotted}={value}")),
            };
        }
        "tcp_mtu_probing" => {
            tcp.mtu_probing = match value {
                "0" => MtuProbing::Off,
                "1" => MtuProbing::BlackHole,
                "2" => MtuProbing::Always,
                _ => return Err(format!("unsupported: sysctl {dotted}={value}")),
            };
        }
        "tcp_base_mss" => tcp.mtu_base = parse(value)?,
        "tcp_mtu_probe_floor" => tcp.mtu_floor = parse(value)?,
        "tcp_probe_threshold" => tcp.mtu_probe_threshold = parse(value)?,
        "tcp_probe_interval" => tcp.mtu_probe_interval = seconds(value)?,
        "tcp_min_tso_segs" => tcp.least_burst = parse(value)?,
        "tcp_ecn_fallback" => tcp.ecn_fallback = switch(value)?,
        "tcp_slow_start_after_idle" => tcp.slow_start_after_idle = switch(value)?,
        "tcp_syn_retries" => tcp.syn_retries = parse(value)?,
        "tcp_synack_retries" => tcp.syn_ack_retries = parse(value)?,
        "tcp_retries2" => tcp.retries = parse(value)?,
        "tcp_orphan_retries" => tcp.orphan_retries = parse(value)?,
        "tcp_rfc1337" => tcp.rfc1337 = switch(value)?,
        "tcp_fin_timeout" => tcp.fin_wait_2 = seconds(value)?,
        "tcp_keepalive_time" => tcp.keepalive_values.idle = seconds(value)?,
        "tcp_keepalive_intvl" => tcp.keepalive_values.interval = seconds(value)?,
        "tcp_keepalive_probes" => tcp.keepalive_values.probes = parse(value)?,
        "tcp_max_syn_backlog" => config.half_open_limit = parse(value)?,
        "tcp_max_tw_buckets" => config.time_wait_limit = parse(value)?,
        "tcp_rmem" => {
            [_, tcp.receive_buffer, tcp.receive_buffer_max] = triple(value)?;
        }
        "tcp_wmem" => {
            [_, tcp.send_buffer, tcp.send_buffer_max] = triple(value)?;
        }
        "tcp_notsent_lowat" => {
            tcp.default_unsent_low_water = Some(parse::<u32>(value)?).filter(|bytes| *bytes != u32::MAX);
        }
        "tcp_congestion_control" => {
            tcp.congestion = CongestionName::from_str(value)
                .map_err(|_| format!("unsupported: congestion control {value}"))?;
            // Who asks for Linux's algorithm expects Linux's way out of slow start.
            tcp.slow_start_exit = SlowStartExit::HyStart;
        }
        _ => return Err(format!("unsupported: sysctl {dotted}")),
    }
    Ok(())
}

/// Whether there is such a sysctl here, whatever values it may have.
pub fn is_known(name: &str) -> bool {
    let probe = set(&mut Config::default(), name, "");
    !matches!(probe, Err(text) if text == format!("unsupported: sysctl {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_set_and_what_cannot_be_is_refused_by_name() {
        let mut config = Config::default();
        set(&mut config, "net.ipv4.tcp_timestamps", "0").unwrap();
        set(&mut config, "/proc/sys/net/ipv4/tcp_syn_retries", "3").unwrap();
        assert!(!config.tcp.timestamps);
        assert_eq!(config.tcp.syn_retries, 3);
        for (name, value) in [
            ("net.ipv4.tcp_frto", "0"),
            ("net.ipv4.tcp_sack", "2"),
            ("net.ipv4.tcp_dream", "1"),
            ("net.core.wmem_max", "1"),
        ] {
            let error = set(&mut config, name, value).unwrap_err();
            assert!(error.starts_with("unsupported: ") || error.contains("neither"), "{error}");
        }
    }
}
