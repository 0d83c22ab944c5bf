//! Duplicate address detection and the defence of addresses.

use super::*;

#[test]
fn an_address_without_detection_is_announced_at_once() {
    let mut ours = bare(1);
    ours.add_address(START, "10.0.0.1/24".parse().unwrap(), Detection::Off);
    ours.add_address(START, "fd00::1/64".parse().unwrap(), Detection::Off);
    let said = lines(&mut ours, START);
    assert_eq!(said.len(), 2);
    assert!(said[0].contains("Announcement 10.0.0.1"), "{}", said[0]);
    assert!(said[1].contains("neighbor advertisement, fd00::1 is at"), "{}", said[1]);
    assert_eq!(events(&mut ours), ["10.0.0.1", "fd00::1"].map(|text| LinkEvent::Ready { address: ip(text) }));
    assert_eq!(ours.poll_timeout(), None);
}

#[test]
fn a_free_address_is_probed_then_ours() {
    for (address, questions, announcements, longest) in
        [("10.0.0.1/24", 3, 2, 1 + 2 + 2 + 2), ("fd00::1/64", 1, 1, 1 + 1)]
    {
        let mut ours = bare(1);
        ours.add_address(START, address.parse().unwrap(), Detection::On);
        let own = address.split('/').next().unwrap();
        let (mut probes, mut announced, mut ready) = (0, 0, None);
        let mut now = START;
        while let Some(next) = ours.poll_timeout() {
            now = next;
            ours.handle_timeout(now);
            for line in lines(&mut ours, now) {
                if line.contains("Probe") || line.contains("solicitation") {
                    assert_eq!(ready, None, "{line}");
                    probes += 1;
                } else {
                    announced += 1;
                }
            }
            for event in events(&mut ours) {
                assert_eq!(event, LinkEvent::Ready { address: ip(own) });
                ready = Some(now);
            }
        }
        assert_eq!((probes, announced), (questions, announcements), "{address}");
        assert!(ready.unwrap().since(START) <= longest * SECOND);
        assert!(now.since(START) <= (longest + 2) * SECOND);
    }
}

#[test]
fn a_tentative_address_is_not_answered_for() {
    let (mut ours, mut peer) = (bare(1), link(2));
    ours.add_address(START, "10.0.0.1/24".parse().unwrap(), Detection::On);
    ours.add_address(START, "fd00::1/64".parse().unwrap(), Detection::On);
    send(&mut peer, START, "10.0.0.1", "x");
    send(&mut peer, START, "fd00::1", "x");
    while let Some(frame) = peer.poll_transmit(START) {
        let _ = hear(&mut ours, START, &frame.bytes);
    }
    assert_eq!(lines(&mut ours, START), [""; 0]);
    assert_eq!(events(&mut ours), []);
}

#[test]
fn an_address_that_somebody_has_is_given_up() {
    for (address, name) in [("10.0.0.2/24", "10.0.0.2"), ("fd00::2/64", "fd00::2")] {
        let (mut ours, mut peer) = (bare(1), link(2));
        ours.add_address(START, address.parse().unwrap(), Detection::On);
        run(&mut [&mut ours, &mut peer], START, START + 20 * SECOND);
        let conflict = LinkEvent::Conflict { address: ip(name), mac: Some(mac(2)) };
        assert_eq!(events(&mut ours), [conflict]);
        assert_eq!((ours.poll_timeout(), events(&mut peer)), (None, Vec::new()));
        // Neither does it answer for it.
        let mut third = link(3);
        send(&mut third, START, name, "x");
        let question = third.poll_transmit(START).unwrap();
        let _ = hear(&mut ours, START, &question.bytes);
        assert_eq!(ours.poll_transmit(START), None);
    }
}

#[test]
fn of_two_that_probe_at_once_neither_is_deaf() {
    for address in ["10.0.0.7/24", "fd00::7/64"] {
        let (mut one, mut other) = (bare(1), bare(2));
        one.add_address(START, address.parse().unwrap(), Detection::On);
        other.add_address(START, address.parse().unwrap(), Detection::On);
        run(&mut [&mut one, &mut other], START, START + 20 * SECOND);
        let all: Vec<_> = [events(&mut one), events(&mut other)].concat();
        let ready = all.iter().filter(|event| matches!(event, LinkEvent::Ready { .. })).count();
        let given_up = all.iter().filter(|event| matches!(event, LinkEvent::Conflict { .. })).count();
        assert!(ready <= 1 && ready + given_up == 2, "{address}: {all:?}");
    }
}

#[test]
fn an_address_in_use_is_defended_but_not_in_a_quarrel() {
    let (mut ours, mut thief) = (link(1), bare(2));
    for second in 0..10 {
        let now = START + second * SECOND;
        thief.add_address(now, "10.0.0.1/24".parse().unwrap(), Detection::Off);
        let claim = thief.poll_transmit(now).unwrap();
        assert_eq!(hear(&mut ours, now, &claim.bytes), Err(DropReason::AddressConflict));
        assert_eq!(lines(&mut ours, now).len(), usize::from(second == 0));
    }
    assert_eq!(events(&mut ours), []);
}

#[test]
fn questions_wait_for_the_only_address_to_be_ours() {
    let (mut ours, mut peer) = (bare(1), link(2));
    ours.add_address(START, "10.0.0.1/24".parse().unwrap(), Detection::On);
    assert_eq!(send(&mut ours, START, "10.0.0.2", "patient"), LinkSend::Parked);
    let packets = run(&mut [&mut ours, &mut peer], START, START + 10 * SECOND);
    assert_eq!(packets.len(), 1);
    assert!(!events(&mut ours).iter().any(|event| matches!(event, LinkEvent::Unreachable { .. })));
}
