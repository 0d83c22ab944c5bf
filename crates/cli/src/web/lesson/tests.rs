//! Each lesson says what it shall, when it shall.

use std::collections::BTreeSet;

use sockeye_core::lan::Direction;
use sockeye_core::trace::TraceEvent;
use sockeye_core::transport::tcp::{RetransmitCause, State};
use sockeye_core::wire::tcp::{Flags, Segment};

use super::parameter::Kind;
use super::step::{Cue, Packet, is_plain_ack, is_rst, is_syn, is_syn_ack};
use super::*;

/// All lessons.
fn all() -> impl Iterator<Item = &'static Lesson> {
    ALL.iter().flat_map(|some| some.iter())
}

fn recipe(name: &str, seed: u64, parameters: Value) -> Recipe {
    Recipe::new(name, seed, parameters.as_object().unwrap()).unwrap()
}

fn played(name: &str, parameters: Value) -> Played {
    recipe(name, 1, parameters).play().unwrap()
}

/// The defaults, and each other word and each other switch.
fn variants(lesson: &Lesson) -> Vec<Value> {
    let mut variants = vec![json!({})];
    for parameter in lesson.parameters {
        match parameter.kind {
            Kind::Choice(of) => variants.extend(of[1..].iter().map(|word| json!({ parameter.name: word }))),
            Kind::Switch(on) => variants.push(json!({ parameter.name: !on })),
            Kind::Number { .. } => {}
        }
    }
    match lesson.name {
        "gateway" => variants.push(json!({ "prefix": 16 })),
        "retransmission" => variants.push(json!({ "cut_s": 1200 })),
        _ => {}
    }
    variants
}

impl Played {
    /// Seconds at which a step was reached.
    #[track_caller]
    fn at(&self, key: &str) -> f64 {
        let step = self.steps.iter().find(|step| step.key == key);
        step.unwrap_or_else(|| panic!("{key} was not reached")).at.since(Instant::ZERO).as_secs_f64()
    }

    fn has(&self, key: &str) -> bool {
        self.steps.iter().any(|step| step.key == key)
    }

    /// The segments that a host has sent, with seconds.
    fn segments(&self, host: HostIndex) -> Vec<(f64, Segment)> {
        let sent = |sight: &Sight| match sight {
            Sight::Cable(cable) if (cable.host, cable.direction) == (host, Direction::Up) => {
                match Packet::of(&cable.frame) {
                    Packet::Tcp(segment) => Some((cable.at.since(Instant::ZERO).as_secs_f64(), segment)),
                    _ => None,
                }
            }
            _ => None,
        };
        self.sights.iter().filter_map(sent).collect()
    }

    /// What happened in a host, with seconds.
    fn events(&self, host: HostIndex) -> impl Iterator<Item = (f64, &TraceEvent)> {
        self.sights.iter().filter_map(move |sight| match sight {
            Sight::Host(at, trace) if *at == host => {
                Some((trace.at.since(Instant::ZERO).as_secs_f64(), &trace.event))
            }
            _ => None,
        })
    }

    /// Seconds at which a host sent something again, for a reason.
    fn again(&self, host: HostIndex, why: RetransmitCause) -> Vec<f64> {
        let is_it =
            |event: &TraceEvent| matches!(event, TraceEvent::Retransmission { cause, .. } if *cause == why);
        self.events(host).filter(|(_, event)| is_it(event)).map(|(at, _)| at).collect()
    }

    /// The states that a host's connections went through.
    fn states(&self, host: HostIndex) -> Vec<State> {
        let to = |event: &TraceEvent| match event {
            TraceEvent::State { to, .. } => Some(*to),
            _ => None,
        };
        self.events(host).filter_map(|(_, event)| to(event)).collect()
    }

    /// All of it, to be compared.
    fn text(&self) -> String {
        format!("{:?}{:?}", self.sights, self.steps)
    }
}

#[track_caller]
fn assert_near(measured: f64, expected: f64) {
    assert!((measured - expected).abs() < 1e-6, "{measured} instead of {expected}");
}

#[test]
fn every_step_of_every_lesson_is_reached_in_order_and_has_words() {
    for lesson in all() {
        let place = |key: &str| lesson.steps.iter().position(|step| step.key == key);
        let mut reached = BTreeSet::new();
        for variant in variants(lesson) {
            let played = played(lesson.name, variant.clone());
            let places: Vec<_> = played.steps.iter().map(|step| place(step.key).unwrap()).collect();
            assert!(places.is_sorted() && !places.is_empty(), "{} {variant}: {places:?}", lesson.name);
            assert!(played.sights.is_sorted_by_key(Sight::at), "{} {variant}", lesson.name);
            assert!(played.sights.len() < watcher::Watcher::LIMIT);
            assert!(played.hosts.len() >= 2);
            reached.extend(played.steps.iter().map(|step| step.key));
        }
        for step in lesson.steps {
            assert!(reached.contains(step.key), "{} is never reached", step.key);
            assert!(
                step.key.strip_prefix(lesson.name).is_some_and(|rest| rest.starts_with('.')),
                "{}",
                step.key
            );
            assert!(!step.text.is_empty() && !step.text.contains("  "), "{}", step.key);
            assert_eq!(lesson.steps.iter().filter(|other| other.key == step.key).count(), 1, "{}", step.key);
        }
    }
    let names: BTreeSet<_> = all().map(|lesson| lesson.name).collect();
    assert_eq!(names.len(), all().count());
}

#[test]
fn what_programs_say_is_in_the_table() {
    for lesson in all() {
        for variant in variants(lesson) {
            let values = Values::read(lesson.parameters, variant.as_object().unwrap()).unwrap();
            let mut stage = Stage::new(1, values, lesson.steps);
            (lesson.set)(&mut stage).unwrap();
            let said: BTreeSet<_> = stage.said().collect();
            for key in said {
                let step = lesson.steps.iter().find(|step| step.key == key);
                assert!(step.is_some_and(|step| matches!(step.cue, Cue::Said)), "{key}");
            }
        }
    }
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    for lesson in all() {
        let once = played(lesson.name, json!({}));
        assert_eq!(once.text(), played(lesson.name, json!({})).text(), "{}", lesson.name);
    }
    let seeded = |seed| recipe("handshake", seed, json!({})).play().unwrap().text();
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn a_fork_is_the_same_until_its_time_and_another_after_it() {
    let original = recipe("slow-start", 3, json!({ "loss": 2, "kilobytes": 256 }));
    let at = Instant::from_millis(300);
    let until = |played: &Played, at: Instant| {
        let before: Vec<_> = played.sights.iter().take_while(|sight| sight.at() <= at).collect();
        format!("{before:?}")
    };
    let (first, fork) = (original.play().unwrap(), original.forked(at, 9).unwrap());
    let second = fork.play().unwrap();
    assert!(until(&first, at).len() > 10_000);
    assert_eq!(until(&first, at), until(&second, at));
    assert_ne!(first.text(), second.text());
    assert_eq!(
        second.text(),
        Recipe::read(&fork.described()).unwrap().play().unwrap().text(),
        "described and read"
    );
    // A fork of the fork keeps to it, and one from before it knows nothing of it.
    let later = Instant::from_millis(500);
    let third = fork.forked(later, 10).unwrap();
    assert_eq!(until(&second, later), until(&third.play().unwrap(), later));
    assert_eq!(third.forks.len(), 2);
    assert_eq!(third.forked(Instant::from_millis(100), 11).unwrap().forks.len(), 1);
    let many =
        (0..FORKS as u64 + 1).try_fold(original, |recipe, at| recipe.forked(Instant::from_millis(at), 1));
    assert_eq!(many.unwrap_err().code, "too-many-forks");
}

#[test]
fn three_segments_make_a_connection() {
    let played = played("handshake", json!({ "delay_ms": 25 }));
    let of = |host| played.segments(host).into_iter().map(|(_, segment)| segment).collect::<Vec<_>>();
    let (client, server) = (of(CLIENT), of(SERVER));
    assert!(is_syn(&client[0]) && is_syn_ack(&server[0]) && is_plain_ack(&client[1]));
    assert_eq!((client.len(), server.len()), (2, 1));
    assert_eq!(server[0].ack, client[0].seq + 1);
    assert_near(played.at("handshake.connected") - played.at("handshake.connect"), 0.1);
    assert_eq!(played.states(CLIENT), [State::SynSent, State::Established]);
    assert_eq!(played.states(SERVER), [State::SynReceived, State::Established]);
}

#[test]
fn nobody_there() {
    let closed = played("refused", json!({}));
    assert!(is_rst(&closed.segments(SERVER)[0].1));
    assert_near(closed.at("refused.refused"), 0.04);
    let silence = played("refused", json!({ "why": "silence" }));
    let sent: Vec<_> = silence.segments(CLIENT).iter().map(|(at, _)| at.round() as u32).collect();
    assert_eq!(sent, [0, 1, 3, 7, 15, 31, 63]);
    assert_near(silence.at("refused.timed-out"), 127.0);
    assert!(played("refused", json!({ "why": "no-host" })).segments(CLIENT).is_empty());
}

#[test]
fn syns_and_fins_cross() {
    let open = played("simultaneous-open", json!({}));
    assert_eq!(open.states(CLIENT), [State::SynSent, State::SynReceived, State::Established]);
    assert_eq!(open.states(SERVER), open.states(CLIENT));
    let close = played("simultaneous-close", json!({}));
    for host in [CLIENT, SERVER] {
        let states = close.states(host);
        assert!(
            states.ends_with(&[State::FinWait1, State::Closing, State::TimeWait, State::Closed]),
            "{states:?}"
        );
    }
}

#[test]
fn four_segments_close_it_and_time_wait_lasts_two_segment_lifetimes() {
    let played = played("close", json!({}));
    let states = played.states(CLIENT);
    assert!(
        states.ends_with(&[State::FinWait1, State::FinWait2, State::TimeWait, State::Closed]),
        "{states:?}"
    );
    assert!(played.states(SERVER).ends_with(&[State::CloseWait, State::LastAck, State::Closed]));
    assert_near(played.at("close.over") - played.at("close.time-wait"), 60.0);
    assert!(played.at("close.half") < played.at("close.more"), "data after the FIN of the other");
}

#[test]
fn a_close_that_is_no_peace_is_a_reset() {
    for how in ["unread-data", "linger-0"] {
        let played = played("reset", json!({ "how": how }));
        assert_eq!(played.segments(SERVER).iter().filter(|(_, segment)| is_rst(segment)).count(), 1);
        assert!(played.has("reset.reset"), "{how}");
    }
}

#[test]
fn who_closes_first_cannot_start_again() {
    let server = played("time-wait", json!({}));
    assert!(server.has("time-wait.in-use") && !server.has("time-wait.listens"));
    assert_near(server.at("time-wait.over") - server.at("time-wait.held-by-server"), 60.0);
    for parameters in [json!({ "reuseaddr": true }), json!({ "first": "client" })] {
        let played = played("time-wait", parameters);
        assert!(played.has("time-wait.listens") && !played.has("time-wait.in-use"));
    }
}

#[test]
fn nine_probes_and_then_it_is_dead() {
    let gone = played("keepalive", json!({}));
    let mut late: Vec<_> = gone.segments(CLIENT).into_iter().filter(|(at, _)| *at > 1.0).collect();
    assert!(late.pop().is_some_and(|(_, segment)| is_rst(&segment)), "should anybody be there after all");
    assert!(late.iter().all(|(_, segment)| is_plain_ack(segment)));
    let probes: Vec<_> = late.into_iter().map(|(at, _)| at).collect();
    let last_word = 0.085;
    let expected: Vec<_> = (0..9).map(|probe| last_word + 7200.0 + 75.0 * f64::from(probe)).collect();
    assert_eq!(probes.len(), 9);
    probes.iter().zip(expected).for_each(|(measured, expected)| assert_near(*measured, expected));
    assert_near(gone.at("keepalive.timed-out"), last_word + 7200.0 + 9.0 * 75.0);
    assert_eq!(gone.states(SERVER).last(), Some(&State::Established), "the server knows nothing");
    let lives = played("keepalive", json!({ "vanishes": false, "idle_s": 60 }));
    assert!(lives.has("keepalive.answer"));
    assert_eq!(lives.states(CLIENT).last(), Some(&State::Closed));
}

#[test]
fn time_outs_double() {
    let played = played("retransmission", json!({ "cut_s": 60 }));
    let timeouts = played.again(CLIENT, RetransmitCause::Timeout);
    assert!(timeouts.len() >= 6, "{timeouts:?}");
    let waits: Vec<_> = timeouts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    waits.windows(2).for_each(|pair| assert_near(pair[1], 2.0 * pair[0]));
    assert!(played.has("retransmission.over"));
    assert!(self::played("retransmission", json!({ "cut_s": 1200 })).has("retransmission.given-up"));
}

#[test]
fn one_lost_segment_is_sent_again_alone() {
    let played = played("fast-retransmit", json!({}));
    let again: Vec<_> = played
        .events(CLIENT)
        .filter(|(_, event)| matches!(event, TraceEvent::Retransmission { .. }))
        .collect();
    assert_eq!(again.len(), 1);
    let waited = again[0].0 - played.at("fast-retransmit.lost");
    assert!(waited < 0.1, "{waited} s: long before the timer");
    let tail = self::played("fast-retransmit", json!({ "which": "last-two" }));
    assert_eq!(tail.again(CLIENT, RetransmitCause::LossProbe).len(), 1);
    assert!(tail.again(CLIENT, RetransmitCause::Timeout).is_empty());
}

#[test]
fn the_window_doubles_and_then_the_queue_is_full() {
    for congestion in ["cubic", "reno"] {
        let played = played("slow-start", json!({ "congestion": congestion }));
        let windows: Vec<usize> = played
            .sights
            .iter()
            .filter_map(|sight| match sight {
                Sight::Sample(sample) if sample.host == CLIENT => Some(sample.tcp.cwnd),
                _ => None,
            })
            .collect();
        let largest = windows.iter().max().unwrap();
        assert!(*largest >= 4 * windows[0], "{congestion}: from {} to {largest}", windows[0]);
        assert!(windows.last().unwrap() < largest, "{congestion}");
        assert!(
            !played.again(CLIENT, RetransmitCause::FastRetransmit).is_empty()
                || !played.again(CLIENT, RetransmitCause::Reordering).is_empty()
        );
    }
}

#[test]
fn a_zero_window_is_asked_about_ever_less_often() {
    let played = played("zero-window", json!({ "pause_s": 60 }));
    let is_probe = |event: &TraceEvent| matches!(event, TraceEvent::Timer { timer: "window-probe", .. });
    let probes: Vec<_> =
        played.events(CLIENT).filter(|(_, event)| is_probe(event)).map(|(at, _)| at).collect();
    assert!(probes.len() >= 6, "{probes:?}");
    let waits: Vec<_> = probes.windows(2).skip(1).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.windows(2).all(|pair| pair[1] > 1.9 * pair[0]), "{waits:?}");
    assert!(played.segments(SERVER).iter().any(|(_, segment)| segment.window == 0));
    assert!(played.at("zero-window.over") > 60.0);
}

#[test]
fn nagle_waits_for_the_acknowledgement_and_nodelay_does_not() {
    let waits = played("nagle", json!({ "rounds": 1 }));
    assert!(
        waits.at("nagle.body") - waits.at("nagle.header") > 0.075,
        "a delayed acknowledgement and a round trip"
    );
    let at_once = played("nagle", json!({ "rounds": 1, "nodelay": true }));
    assert_near(at_once.at("nagle.at-once"), at_once.at("nagle.header"));
}

#[test]
fn the_accept_queue_is_bounded() {
    let played = played("backlog", json!({ "backlog": 2, "clients": 4, "pause_s": 5 }));
    let established =
        |(_, event): &(f64, &TraceEvent)| matches!(event, TraceEvent::State { to: State::Established, .. });
    let early = played.events(SERVER).filter(|event| established(event) && event.0 < 5.0).count();
    let all = played.events(SERVER).filter(established).count();
    assert_eq!((early, all), (2, 4));
    assert!(played.has("backlog.all"));
}

#[test]
fn cookies_answer_where_the_half_open_queue_is_full() {
    let played = played("syn-flood", json!({ "syns": 20, "half_open": 8 }));
    let half_open = |cause: &'static str| {
        let is_it = move |event: &TraceEvent| matches!(event, TraceEvent::State { to: State::SynReceived, cause: why, .. } if *why == cause);
        played.events(SERVER).filter(|(_, event)| is_it(event)).count()
    };
    assert_eq!((half_open("segment"), half_open("cookie")), (8, 1));
    let first: Vec<_> = played.segments(SERVER).into_iter().filter(|(at, _)| *at < 0.3).collect();
    assert_eq!(first.iter().filter(|(_, segment)| is_syn_ack(segment)).count(), 20, "all are answered");
    assert!(played.has("syn-flood.served"));
}

#[test]
fn the_mask_decides_who_is_asked() {
    let asked = |played: &Played| {
        played.sights.iter().find_map(|sight| match sight {
            Sight::Cable(cable) if cable.host == CLIENT => match Packet::of(&cable.frame) {
                Packet::Arp(arp) => Some(arp.target_ip.to_string()),
                _ => None,
            },
            _ => None,
        })
    };
    for (parameters, target, connected) in [
        (json!({}), "10.0.0.1", true),
        (json!({ "prefix": 16 }), "10.0.1.2", false),
        (json!({ "to": "10.0.0.5" }), "10.0.0.5", true),
        (json!({ "to": "10.0.0.5", "prefix": 30 }), "10.0.0.1", true),
    ] {
        let played = played("gateway", parameters.clone());
        assert_eq!(asked(&played).as_deref(), Some(target), "{parameters}");
        assert_eq!(played.has("gateway.connected"), connected, "{parameters}");
        assert_eq!(played.has("gateway.nobody"), !connected, "{parameters}");
    }
    let facts = &played("gateway", json!({})).steps[0].facts;
    assert_eq!(facts["binary"]["mask"], "11111111.11111111.11111111.00000000");
    assert_eq!(facts["binary"]["destination"], "00001010.00000000.00000001.00000010");
    assert_eq!((&facts["decimal"]["network"], &facts["same"]), (&json!("10.0.0.0"), &json!(false)));
}

#[test]
fn too_large_is_told_or_found_out() {
    let told = played("mtu", json!({}));
    assert!(told.at("mtu.over") < 1.0);
    let found = played("mtu", json!({ "icmp": false }));
    assert!(found.at("mtu.over") > 1.0);
    for played in [told, found] {
        let most = played.segments(CLIENT).iter().map(|(_, segment)| segment.length).max();
        assert_eq!(most, Some(1448));
        let later: Vec<_> =
            played.segments(CLIENT).into_iter().filter(|(at, _)| *at > played.at("mtu.over")).collect();
        assert!(later.iter().all(|(_, segment)| segment.length + 52 <= 1280));
    }
}

#[test]
fn what_udp_loses_stays_lost() {
    let played = played("udp", json!({}));
    let sent = |host| {
        let is_it = move |sight: &&Sight| {
            matches!(sight, Sight::Cable(cable) if (cable.host, cable.direction) == (host, Direction::Up)
                && matches!(Packet::of(&cable.frame), Packet::Udp))
        };
        played.sights.iter().filter(is_it).count()
    };
    assert_eq!((sent(CLIENT), sent(SERVER)), (4, 0));
    assert!(played.has("udp.received") && played.has("udp.refused"));
}

#[test]
fn two_sends_are_one_recv() {
    let played = played("sticky", json!({}));
    let data: Vec<u32> =
        played.segments(CLIENT).iter().map(|(_, segment)| segment.length).filter(|it| *it > 0).collect();
    assert_eq!(data[..2], [5, 5]);
    assert!(played.has("sticky.apart"));
    assert!(played.segments(CLIENT).iter().all(|(_, segment)| !segment.flags.contains(Flags::RST)));
}

#[test]
fn a_lesson_that_is_not_there() {
    assert_eq!(Recipe::new("nothing", 1, &Map::new()).unwrap_err().code, "no-lesson");
    let wrong = json!({ "delay_ms": 0 });
    assert_eq!(Recipe::new("close", 1, wrong.as_object().unwrap()).unwrap_err().code, "bad-parameter");
}

#[test]
fn lossy_lessons_of_many_seeds_come_to_an_end() {
    for lesson in all().filter(|lesson| lesson.parameters.iter().any(|parameter| parameter.name == "loss")) {
        for seed in 0..20 {
            let played = recipe(lesson.name, seed, json!({ "loss": 25 })).play().unwrap();
            assert!(played.sights.len() < watcher::Watcher::LIMIT, "{} {seed}", lesson.name);
        }
    }
}

#[test]
fn the_largest_lessons_are_bounded() {
    for (name, parameters) in [
        ("slow-start", json!({ "kilobytes": 2048, "rate_kbit": 1_000_000, "queue_frames": 1000 })),
        ("slow-start", json!({ "kilobytes": 2048, "rate_kbit": 1_000_000, "loss": 20, "delay_ms": 1 })),
        ("zero-window", json!({ "kilobytes": 1024, "delay_ms": 1 })),
        ("zero-window", json!({ "kilobytes": 1024, "loss": 20 })),
        ("syn-flood", json!({ "syns": 500, "half_open": 256 })),
        ("backlog", json!({ "clients": 32, "backlog": 1, "pause_s": 100 })),
    ] {
        let begun = std::time::Instant::now();
        let played = played(name, parameters.clone());
        let sights = played.sights.len();
        println!("{name} {parameters}: {sights} sights, {:?}", begun.elapsed());
        assert!(sights < 2 * watcher::Watcher::LIMIT, "{name} {parameters}: {sights}");
        let whole =
            matches!(name, "syn-flood" | "backlog") || !parameters.as_object().unwrap().contains_key("loss");
        assert!(!whole || !has_note(&played, "broken-off"), "{name} {parameters}");
    }
}

fn has_note(played: &Played, what: &str) -> bool {
    played.sights.iter().any(|sight| matches!(sight, Sight::Note(note) if note.note == what))
}

fn ask(
    world: &std::sync::Arc<crate::web::world::World>,
    what: &'static str,
    asked: Value,
) -> impl Future<Output = crate::web::api::Answer> {
    let world = std::sync::Arc::clone(world);
    async move { ask::answer(&world, what, asked).await }
}

#[tokio::test]
async fn a_lesson_is_opened_through_the_api() {
    let world = std::sync::Arc::new(crate::web::world::World::new());
    let asked = json!({ "name": "handshake", "seed": 5, "parameters": { "loss": 10 } });
    let opened = ask(&world, "open", asked).await.unwrap();
    let name = opened["recording"].as_str().unwrap();
    assert_eq!(world.recordings.get(name).unwrap().name(), name);
    let unknown = ask(&world, "open", json!({ "name": "nothing" })).await.unwrap_err();
    assert_eq!((unknown.code.as_str(), unknown.facts["name"].as_str()), ("no-lesson", Some("nothing")));
    let gone = ask(&world, "fork", json!({ "recording": "r99", "at": 1 })).await.unwrap_err();
    assert_eq!(gone.code, "gone");
    let never = ask(&world, "fork", json!({ "recording": name, "at": -1 })).await.unwrap_err();
    assert_eq!(never.code, "bad-request");
}

#[tokio::test]
async fn a_lesson_is_forked_through_the_api() {
    use crate::web::world::Entity;
    let world = std::sync::Arc::new(crate::web::world::World::new());
    let asked = json!({ "name": "handshake", "seed": 5, "parameters": { "loss": 10 } });
    let opened = ask(&world, "open", asked).await.unwrap();
    let asked = json!({ "recording": opened["recording"], "at": 0.01, "seed": 6 });
    let forked = ask(&world, "fork", asked).await.unwrap();
    assert_ne!(forked["recording"], opened["recording"]);
    let summary = world.recordings.get(forked["recording"].as_str().unwrap()).unwrap().summary();
    let lesson = &summary["lesson"];
    assert_eq!(lesson["fork"], json!({ "of": opened["recording"], "at": 0.01 }));
    assert_eq!(lesson["forks"], json!([{ "at": 0.01, "seed": 6 }]));
    let steps = lesson["steps"].as_array().unwrap();
    assert_eq!((&steps[0]["words"], &steps[0]["at"]), (&json!("handshake.listen"), &json!(0.0)));
    assert!(steps.iter().all(|step| step["row"].is_u64()), "{steps:?}");
}

#[test]
fn the_page_has_chinese_words_for_every_step() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/page/words/zh/lessons.js");
    let Ok(words) = std::fs::read_to_string(path) else {
        println!("skipped: there is no {path}");
        return;
    };
    let has = |key: String| words.contains(&format!("\"{key}\":"));
    for lesson in all() {
        assert!(has(format!("lesson.{}", lesson.name)), "the title of {}", lesson.name);
        for step in lesson.steps {
            assert!(has(format!("step.{}", step.key)), "{}", step.key);
        }
        for parameter in lesson.parameters {
            assert!(has(format!("parameter.{}", parameter.name)), "the parameter {}", parameter.name);
        }
    }
}
