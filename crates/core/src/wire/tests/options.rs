//! TCP options as Linux orders them, and as nobody should.

use proptest::prelude::*;

use super::super::tcp::{
    FastOpenCookie, FastOpenForm, Options, SackBlock, SackBlocks, SeqNumber, Timestamps,
};

const CLOCKS: Option<Timestamps> = Some(Timestamps { value: 5, echo: 4 });

fn blocks(count: u32) -> SackBlocks {
    (0..count).map(|n| SackBlock { left: SeqNumber(n * 10), right: SeqNumber(n * 10 + 5) }).collect()
}

#[test]
fn the_order_is_that_of_linux() {
    let syn = Options { mss: Some(1460), sack_permitted: true, window_scale: Some(7), ..Options::default() };
    assert_eq!(syn.to_string(), "mss 1460,nop,nop,sackOK,nop,wscale 7");
    let with = Options { timestamps: CLOCKS, ..syn };
    assert_eq!(with.to_string(), "mss 1460,sackOK,TS val 5 ecr 4,nop,wscale 7");
    let without_sack = Options { sack_permitted: false, ..with };
    assert_eq!(without_sack.to_string(), "mss 1460,nop,nop,TS val 5 ecr 4,nop,wscale 7");
    let data = Options { timestamps: CLOCKS, sack: blocks(1), ..Options::default() };
    assert_eq!(data.to_string(), "nop,nop,TS val 5 ecr 4,nop,nop,sack 1 {0:5}");
    let open = Options { mss: Some(536), fast_open: Some(FastOpenCookie::REQUEST), ..Options::default() };
    assert_eq!(open.to_string(), "mss 536,tfo cookiereq,nop,nop");
    let cookie = Options { fast_open: FastOpenCookie::new(&[0xab; 8]), ..Options::default() };
    assert_eq!(cookie.to_string(), "tfo cookie abababababababab,nop,nop");
    assert_eq!(Options::default().to_string(), "");
}

#[test]
fn a_cookie_of_the_experiment_is_the_same_cookie_in_another_form() {
    let cookie = FastOpenCookie::new(&[1, 2, 3, 4]).unwrap().in_form(FastOpenForm::Experimental);
    let options = Options { fast_open: Some(cookie), ..Options::default() };
    assert_eq!(options.emit().as_slice(), [254, 8, 0xf9, 0x89, 1, 2, 3, 4]);
    assert_eq!(options.to_string(), "exp-tfo cookie 01020304");
    assert_eq!(Options::parse(&[254, 8, 0xf9, 0x89, 1, 2, 3, 4]), options);
    let request = Options::parse(&[254, 4, 0xf9, 0x89]).fast_open.unwrap();
    assert!(request.is_request() && request.form() == FastOpenForm::Experimental);
    // Another experiment, a cookie too short, one of an odd length.
    for bytes in
        [&[254, 4, 0xf9, 0x88][..], &[254, 6, 0xf9, 0x89, 1, 2], &[254, 9, 0xf9, 0x89, 1, 2, 3, 4, 5]]
    {
        assert_eq!(Options::parse(bytes), Options::default(), "{bytes:?}");
    }
}

#[test]
fn blocks_are_cut_to_what_fits() {
    let alone = Options { sack: blocks(4), ..Options::default() };
    assert_eq!((alone.len(), Options::parse(alone.emit().as_slice())), (36, alone));
    let clocks = Options { timestamps: CLOCKS, ..alone };
    let parsed = Options::parse(clocks.emit().as_slice());
    assert_eq!((clocks.len(), parsed), (40, Options { sack: blocks(3), ..clocks }));
    assert!(!blocks(4).clone().push(SackBlock::default()));
}

#[test]
fn a_full_syn_fits_exactly() {
    let syn = Options {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: CLOCKS,
        fast_open: FastOpenCookie::new(&[7; 16]),
        ..Options::default()
    };
    assert_eq!((syn.len(), Options::parse(syn.emit().as_slice())), (40, syn));
}

#[test]
fn unknown_and_misshapen_options_are_skipped() {
    // Unknown kind 77; MSS of three bytes; SACK of 9; window scale.
    let bytes = [77, 4, 9, 9, 2, 3, 1, 5, 9, 0, 0, 0, 0, 0, 0, 0, 3, 3, 9];
    let parsed = Options::parse(&bytes);
    assert_eq!(parsed, Options { window_scale: Some(9), ..Options::default() });
    // A cookie of an odd length, then MSS.
    let parsed = Options::parse(&[34, 5, 1, 2, 3, 2, 4, 0, 100]);
    assert_eq!(parsed, Options { mss: Some(100), ..Options::default() });
}

#[test]
fn an_impossible_length_ends_the_reading() {
    let mss = Options { mss: Some(100), ..Options::default() };
    for bad in [&[3, 0, 9][..], &[3, 1, 9], &[3, 4, 9], &[3], &[8, 10, 0, 0], &[0, 3, 3, 9]] {
        let bytes = [&[2, 4, 0, 100][..], bad].concat();
        assert_eq!(Options::parse(&bytes), mss, "{bad:?}");
    }
}

#[test]
fn what_comes_twice_counts_as_last_given() {
    let parsed = Options::parse(&[2, 4, 0, 100, 2, 4, 0, 200]);
    assert_eq!(parsed.mss, Some(200));
}

proptest! {
    #[test]
    fn any_bytes_read_as_something_that_survives_a_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..=40)) {
        let options = Options::parse(&bytes);
        let emitted = options.emit();
        prop_assert_eq!(emitted.as_slice().len(), options.len());
        prop_assert!(options.len() <= Options::MAX_LEN && options.len().is_multiple_of(4));
        // Nothing is added; blocks may be cut, and a cookie left out.
        let again = Options::parse(emitted.as_slice());
        prop_assert_eq!(again.mss, options.mss);
        prop_assert_eq!(again.window_scale, options.window_scale);
        prop_assert_eq!(again.sack_permitted, options.sack_permitted);
        prop_assert_eq!(again.timestamps, options.timestamps);
        prop_assert!(options.sack.as_slice().starts_with(again.sack.as_slice()));
        prop_assert!(again.fast_open.is_none() || again.fast_open == options.fast_open);
        let _ = options.to_string();
    }
}

#[test]
fn a_signature_is_noticed_and_one_of_the_wrong_length_is_none() {
    let mut bytes = [0; 20];
    bytes[..2].copy_from_slice(&[19, 18]);
    assert!(Options::parse(&bytes).is_signed);
    bytes[1] = 17;
    assert!(!Options::parse(&bytes).is_signed);
    assert!(Options::parse(&[29, 16, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_signed);
}
