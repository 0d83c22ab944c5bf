//! What is answered here, and what is not.

use super::*;

fn zone() -> Zone {
    let names = Names::new("lan");
    names.insert("web", "10.0.0.2".parse().unwrap());
    names.insert("web", "fd00::2".parse().unwrap());
    names.insert("db", "10.0.0.3".parse().unwrap());
    Zone::new(names, vec!["10.0.0.1/24".parse().unwrap()])
}

fn question(name: &str, kind: Rtype) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0x1234);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((Name::vec_from_str(name).unwrap(), kind)).unwrap();
    builder.finish()
}

/// How a question ends: the code, and the data of the answers in words.
fn told(name: &str, kind: Rtype) -> Option<(Rcode, Vec<String>)> {
    match zone().react(&question(name, kind)) {
        Reaction::Answer(bytes) => {
            let answer = Message::from_octets(bytes.as_slice()).unwrap();
            let header = answer.header();
            assert!(header.qr() && header.aa() && header.ra() && header.rd() && header.id() == 0x1234);
            let records = answer.answer().unwrap().limit_to_in::<domain::rdata::AllRecordData<_, _>>();
            let data: Vec<String> = records.map(|record| record.unwrap().data().to_string()).collect();
            let negative = answer.header_counts().nscount() == 1;
            assert_eq!(negative, data.is_empty(), "an SOA where there is nothing");
            Some((header.rcode(), data))
        }
        Reaction::Forward => None,
        Reaction::Silence => panic!("no question"),
    }
}

fn found(data: &[&str]) -> Option<(Rcode, Vec<String>)> {
    Some((Rcode::NOERROR, data.iter().map(|text| (*text).to_owned()).collect()))
}

const NONE: Option<(Rcode, Vec<String>)> = Some((Rcode::NXDOMAIN, Vec::new()));

#[test]
fn names_of_the_lan() {
    assert_eq!(told("web", Rtype::A), found(&["10.0.0.2"]));
    assert_eq!(told("wEb.LAN.", Rtype::AAAA), found(&["fd00::2"]));
    assert_eq!(told("web.lan", Rtype::ANY), found(&["10.0.0.2", "fd00::2"]));
    assert_eq!(told("db.lan", Rtype::AAAA), found(&[]), "the name is there, the address is not");
    assert_eq!(told("db", Rtype::MX), found(&[]));
    assert_eq!(told("nobody.lan", Rtype::A), NONE);
    assert_eq!(told("nobody", Rtype::A), NONE);
    assert_eq!(told("www.web.lan", Rtype::A), NONE);
    assert_eq!(told("lan", Rtype::A), found(&[]));
    assert_eq!(told("lan", Rtype::SOA).unwrap().1.len(), 1);
}

#[test]
fn addresses_backwards() {
    assert_eq!(told("3.0.0.10.in-addr.arpa", Rtype::PTR), found(&["db.lan."]));
    assert_eq!(told("3.0.0.10.in-addr.arpa", Rtype::A), found(&[]));
    assert_eq!(told("9.0.0.10.in-addr.arpa", Rtype::PTR), NONE);
    let v6 = format!("2.{}0.0.d.f.ip6.arpa", "0.".repeat(27));
    assert_eq!(told(&v6, Rtype::PTR), found(&["web.lan."]));
    assert_eq!(told("9.9.9.9.in-addr.arpa", Rtype::PTR), None);
    assert_eq!(told("300.0.0.10.in-addr.arpa", Rtype::PTR), None);
}

#[test]
fn others_answer_for_the_rest() {
    for (name, kind) in
        [("example.org", Rtype::A), (".", Rtype::NS), ("org", Rtype::NS), ("mylan.org", Rtype::A)]
    {
        assert_eq!(told(name, kind), None, "{name}");
    }
}

#[test]
fn the_case_of_a_question_comes_back() {
    let asked = question("wEB.lAn", Rtype::A);
    let Reaction::Answer(answer) = zone().react(&asked) else { panic!("no answer") };
    assert_eq!(answer[12..asked.len()], asked[12..], "the question, letter by letter");
}

#[test]
fn edns_is_answered_in_kind_and_long_answers_are_cut() {
    let mut builder = MessageBuilder::new_vec().question();
    builder.push((Name::vec_from_str("web.lan").unwrap(), Rtype::A)).unwrap();
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(900);
            Ok(())
        })
        .unwrap();
    let asked = builder.finish();
    let Reaction::Answer(answer) = zone().react(&asked) else { panic!("no answer") };
    let opt = Message::from_octets(answer).unwrap().opt().map(|opt| opt.udp_payload_size());
    assert_eq!(opt, Some(OWN_UDP));
    assert_eq!((udp_limit(&asked), udp_limit(&question("web", Rtype::A))), (900, 512));
    let zone = zone();
    for number in 0..60 {
        zone.names.insert("web", IpAddr::from([10, 1, 0, number]));
    }
    let Reaction::Answer(long) = zone.react(&asked) else { panic!("no answer") };
    let cut = fitted(&asked, long.clone());
    assert!(long.len() > 900 && cut.len() < 100);
    assert!(Message::from_octets(cut).unwrap().header().tc());
    // A version of EDNS that is yet to come.
    let mut later = asked.clone();
    let at = later.len() - 5;
    later[at] = 1;
    let Reaction::Answer(answer) = zone.react(&later) else { panic!("no answer") };
    assert_eq!(Message::from_octets(answer).unwrap().opt_rcode(), OptRcode::BADVERS);
}

#[test]
fn what_is_no_question() {
    let zone = zone();
    assert_eq!(zone.react(&[]), Reaction::Silence);
    assert_eq!(zone.react(&[0; 11]), Reaction::Silence);
    let mut answer = question("web", Rtype::A);
    answer[2] |= 0x80;
    assert_eq!(zone.react(&answer), Reaction::Silence);
    let rcode = |bytes: &[u8]| match zone.react(bytes) {
        Reaction::Answer(answer) => Message::from_octets(answer).unwrap().header().rcode(),
        other => panic!("{other:?}"),
    };
    let mut update = question("web", Rtype::A);
    update[2] |= 5 << 3;
    assert_eq!(rcode(&update), Rcode::NOTIMP);
    assert_eq!(rcode(&[0; 12]), Rcode::FORMERR);
    let mut looping = question("web", Rtype::A);
    looping[12..14].copy_from_slice(&[0xc0, 12]);
    assert_eq!(rcode(&looping), Rcode::FORMERR);
}

#[test]
fn nothing_that_comes_makes_it_panic() {
    let zone = zone();
    let mut state = 1u64;
    for name in ["web.lan", "3.0.0.10.in-addr.arpa", "example.org"] {
        let asked = question(name, Rtype::ANY);
        for _ in 0..20_000 {
            let mut damaged = asked.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % damaged.len();
                damaged[at] = (state >> 25) as u8;
            }
            damaged.truncate(damaged.len() - (state >> 20) as usize % 3);
            if let Reaction::Answer(answer) = zone.react(&damaged) {
                let _ = fitted(&damaged, answer);
            }
        }
    }
}
