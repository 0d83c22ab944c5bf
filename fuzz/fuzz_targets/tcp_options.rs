//! TCP options from any bytes: read, written, and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sockeye_core::wire::tcp::Options;

fuzz_target!(|bytes: &[u8]| {
    let options = Options::parse(bytes);
    let emitted = options.emit();
    let again = Options::parse(emitted.as_slice());
    assert_eq!(emitted.as_slice().len(), options.len());
    assert!(options.len() <= Options::MAX_LEN && options.len().is_multiple_of(4));
    assert_eq!(again.mss, options.mss);
    assert_eq!(again.window_scale, options.window_scale);
    assert_eq!(again.sack_permitted, options.sack_permitted);
    assert_eq!(again.timestamps, options.timestamps);
    // There may not be room for everything that hostile bytes ask for: blocks are cut, a cookie is left out.
    assert!(options.sack.as_slice().starts_with(again.sack.as_slice()));
    assert!(again.fast_open.is_none() || again.fast_open == options.fast_open);
    // What fits survives unchanged, and reads in words.
    assert_eq!(Options::parse(again.emit().as_slice()), again);
    assert_eq!(options.to_string().is_empty(), options.is_empty());
});
