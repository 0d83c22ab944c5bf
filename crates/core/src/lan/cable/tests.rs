//! What the conditions do, measured; the seeds are fixed, so that nothing here depends on luck.

use proptest::prelude::*;

use super::super::{BurstLength, Loss, Passage, Probability, QueueLimit, Rate};
use super::*;

const FRAMES: usize = 20_000;

fn probability(value: f64) -> Probability {
    Probability::new(value).unwrap()
}

/// Frame number `number`: 60 bytes that say so.
fn frame(number: usize) -> Vec<u8> {
    let mut frame = vec![0; 60];
    frame[..8].copy_from_slice(&(number as u64).to_be_bytes());
    frame
}

fn number(frame: &[u8]) -> usize {
    u64::from_be_bytes(frame[..8].try_into().unwrap()) as usize
}

fn millis(millis: usize) -> Instant {
    Instant::from_millis(millis as u64)
}

/// Sends a frame every millisecond and returns all fates and all arrivals.
fn run(conditions: Conditions, seed: u64, frames: usize) -> (Vec<Fate>, Vec<Arrival>) {
    let mut cable = Cable::new(conditions, seed);
    let fates = (0..frames).map(|at| cable.push(millis(at), Direction::Up, frame(at))).collect();
    let arrivals = core::iter::from_fn(|| cable.poll(Instant::MAX)).collect();
    assert_eq!((cable.in_flight(), cable.poll_timeout()), (0, None));
    (fates, arrivals)
}

fn passages(fates: &[Fate]) -> Vec<Passage> {
    fates.iter().filter_map(Fate::passage).collect()
}

fn share(count: usize) -> f64 {
    count as f64 / FRAMES as f64
}

#[track_caller]
fn assert_near(measured: f64, expected: f64, tolerance: f64) {
    assert!((measured - expected).abs() <= tolerance, "{measured} instead of {expected}");
}

#[test]
fn a_perfect_cable_changes_nothing() {
    let (fates, arrivals) = run(Conditions::default(), 1, 100);
    for (sent, (fate, arrival)) in fates.iter().zip(&arrivals).enumerate() {
        let at = millis(sent);
        let passage =
            Passage { at, copy_at: None, corrupted_bit: None, is_marked: false, is_held_back: false };
        assert_eq!(*fate, Fate::Arrives(passage));
        assert_eq!(*arrival, Arrival { at, sent_at: at, direction: Direction::Up, frame: frame(sent) });
    }
    assert_eq!(arrivals.len(), 100);
}

#[test]
fn the_share_of_lost_frames_is_the_loss() {
    for (seed, loss) in [(1, 0.01), (2, 0.1), (3, 0.3), (4, 0.9)] {
        let (fates, arrivals) =
            run(Conditions { loss: probability(loss), ..Conditions::default() }, seed, FRAMES);
        let lost = fates.iter().filter(|fate| fate.loss() == Some(Loss::Chance)).count();
        assert_near(share(lost), loss, 0.01);
        assert_eq!(lost + arrivals.len(), FRAMES);
    }
}

#[test]
fn all_or_nothing_is_exact() {
    for loss_burst in [None, BurstLength::new(5.0)] {
        let all = Conditions { loss: Probability::ALWAYS, loss_burst, ..Conditions::default() };
        assert!(run(all, 1, 1000).1.is_empty());
        let nothing = Conditions { loss: Probability::NEVER, loss_burst, ..Conditions::default() };
        assert_eq!(run(nothing, 1, 1000).1.len(), 1000);
    }
}

/// The mean length of the runs of lost frames.
fn mean_burst(fates: &[Fate]) -> f64 {
    let lost = fates.iter().filter(|fate| fate.loss().is_some()).count();
    let is_end = |pair: &&[Fate]| pair[0].loss().is_some() && pair[1].loss().is_none();
    lost as f64 / fates.windows(2).filter(is_end).count() as f64
}

#[test]
fn bursts_have_their_length_and_keep_the_loss() {
    for (seed, loss, burst) in [(1, 0.05, 4.0), (2, 0.2, 10.0), (3, 0.3, 1.0), (4, 0.1, 2.5)] {
        let loss_burst = BurstLength::new(burst);
        let conditions = Conditions { loss: probability(loss), loss_burst, ..Conditions::default() };
        let (fates, _) = run(conditions, seed, 10 * FRAMES);
        let lost = fates.iter().filter(|fate| fate.loss().is_some()).count();
        assert_near(lost as f64 / fates.len() as f64, loss, 0.015);
        assert_near(mean_burst(&fates), burst, 0.1 * burst);
    }
    // Two losses in three cannot be had in bursts of one: they become two frames long.
    let conditions = Conditions {
        loss: probability(2.0 / 3.0),
        loss_burst: BurstLength::new(1.0),
        ..Conditions::default()
    };
    let (fates, _) = run(conditions, 5, FRAMES);
    assert_near(share(fates.iter().filter(|fate| fate.loss().is_some()).count()), 2.0 / 3.0, 0.01);
    assert_near(mean_burst(&fates), 2.0, 0.1);
}

#[test]
fn a_rate_gives_exact_times() {
    // 60 bytes at 1 Mbit/s take 480 µs.
    let mut cable = Cable::new(Conditions { rate: Rate::new(1_000_000), ..Conditions::default() }, 1);
    let at = |cable: &mut Cable, now| cable.push(now, Direction::Up, frame(0)).passage().unwrap().at;
    assert_eq!(at(&mut cable, Instant::ZERO), Instant::from_micros(480));
    assert_eq!(at(&mut cable, Instant::ZERO), Instant::from_micros(960));
    assert_eq!(at(&mut cable, Instant::from_micros(700)), Instant::from_micros(1440));
    assert_eq!(
        at(&mut cable, Instant::from_micros(5000)),
        Instant::from_micros(5480),
        "it was idle in between"
    );
    let down = cable.push(Instant::ZERO, Direction::Down, frame(0)).passage().unwrap();
    assert_eq!(down.at, Instant::from_micros(480), "the other direction is another wire");
}

#[test]
fn a_full_queue_loses_its_tail() {
    let mut conditions =
        Conditions { rate: Rate::new(1_000_000), queue: QueueLimit::Frames(3), ..Conditions::default() };
    let lost = |cable: &mut Cable, now| cable.push(now, Direction::Up, frame(0)).loss();
    let mut cable = Cable::new(conditions, 1);
    for _ in 0..3 {
        assert_eq!(lost(&mut cable, Instant::ZERO), None);
    }
    assert_eq!(lost(&mut cable, Instant::from_micros(479)), Some(Loss::QueueFull));
    assert_eq!(lost(&mut cable, Instant::from_micros(480)), None, "the first is out");
    assert_eq!(lost(&mut cable, Instant::from_micros(480)), Some(Loss::QueueFull));

    conditions.queue = QueueLimit::Bytes(150);
    let mut cable = Cable::new(conditions, 1);
    let losses: Vec<_> = (0..4).map(|_| lost(&mut cable, Instant::ZERO)).collect();
    assert_eq!(losses, [None, None, Some(Loss::QueueFull), Some(Loss::QueueFull)]);
    let large = |cable: &mut Cable| cable.push(Instant::ZERO, Direction::Down, vec![0; 1000]).loss();
    assert_eq!((large(&mut cable), large(&mut cable)), (None, Some(Loss::QueueFull)));
}

#[test]
fn lost_frames_use_up_the_rate() {
    let conditions =
        Conditions { rate: Rate::new(1_000_000), loss: probability(0.5), ..Conditions::default() };
    let mut cable = Cable::new(conditions, 3);
    let fates: Vec<_> = (0..100).map(|at| cable.push(Instant::ZERO, Direction::Up, frame(at))).collect();
    assert!(fates.iter().filter(|fate| fate.loss() == Some(Loss::Chance)).count() > 30);
    for (before, fate) in fates.iter().enumerate() {
        let out_at = Instant::from_micros(480 * (before as u64 + 1));
        assert!(fate.passage().is_none_or(|passage| passage.at == out_at));
    }
}

#[test]
fn jitter_stays_in_its_range_and_keeps_order() {
    let (delay, jitter) = (Duration::from_millis(50), Duration::from_millis(10));
    let (fates, arrivals) = run(Conditions { delay, jitter, ..Conditions::default() }, 1, FRAMES);
    assert!(arrivals.iter().map(|arrival| number(&arrival.frame)).eq(0..FRAMES), "jitter never reorders");
    let delays = || arrivals.iter().map(|arrival| arrival.at - arrival.sent_at);
    assert!(delays().min() < Some(delay) && delays().min() >= Some(delay - jitter));
    assert!(delays().max() > Some(Duration::from_micros(59_900)) && delays().max() <= Some(delay + jitter));
    assert!(passages(&fates).iter().all(|passage| !passage.is_held_back));
    // Far apart no frame waits for another, and the mean is the delay.
    let mut cable = Cable::new(Conditions { delay, jitter, ..Conditions::default() }, 2);
    let mut travelled = Duration::ZERO;
    for second in 0..1000 {
        let now = Instant::from_secs(second);
        travelled += cable.push(now, Direction::Up, frame(0)).passage().unwrap().at - now;
    }
    assert_near(travelled.as_secs_f64() / 1000.0, 0.05, 0.0005);
}

#[test]
fn jitter_never_delivers_before_sending() {
    let conditions = Conditions { jitter: Duration::from_millis(10), ..Conditions::default() };
    let (_, arrivals) = run(conditions, 1, 1000);
    assert!(arrivals.iter().all(|arrival| arrival.at >= arrival.sent_at));
}

#[test]
fn reordering_holds_back_its_share_within_its_bounds() {
    let conditions =
        Conditions { delay: Duration::from_millis(20), reorder: probability(0.1), ..Conditions::default() };
    assert_eq!(conditions.reorder_span(), Duration::from_millis(10));
    let (fates, arrivals) = run(conditions, 1, FRAMES);
    let held_back: Vec<_> = (0..FRAMES).filter(|sent| fates[*sent].passage().unwrap().is_held_back).collect();
    assert_near(share(held_back.len()), 0.1, 0.01);
    for (sent, passage) in passages(&fates).iter().enumerate() {
        let extra = (passage.at - millis(sent)) - conditions.delay;
        let span = conditions.reorder_span();
        assert!(if passage.is_held_back { !extra.is_zero() && extra <= span } else { extra.is_zero() });
    }
    // A frame every millisecond, held back for up to ten: it is overtaken by ten at most, and others keep their order.
    let order: Vec<_> = arrivals.iter().map(|arrival| number(&arrival.frame)).collect();
    let places =
        |sent: &usize| order.iter().skip(sent.saturating_sub(12)).position(|other| other == sent).unwrap();
    let overtakers =
        held_back.iter().map(|sent| (places(sent) + sent.saturating_sub(12)).saturating_sub(*sent));
    assert!((8..=10).contains(&overtakers.max().unwrap()));
    let usual = order.iter().filter(|sent| !fates[**sent].passage().unwrap().is_held_back);
    assert!(usual.is_sorted());
    assert!(!order.is_sorted());
}

#[test]
fn duplicates_come_with_their_share_and_are_equal() {
    let (fates, arrivals) =
        run(Conditions { duplicate: probability(0.2), ..Conditions::default() }, 1, FRAMES);
    let copies = passages(&fates).iter().filter(|passage| passage.copy_at.is_some()).count();
    assert_near(share(copies), 0.2, 0.01);
    assert_eq!(arrivals.len(), FRAMES + copies);
    for arrival in &arrivals {
        assert_eq!(arrival.frame, frame(number(&arrival.frame)));
    }
    let twice = arrivals.windows(2).filter(|pair| pair[0].frame == pair[1].frame).count();
    assert_eq!(twice, copies, "the copy follows at once");
}

#[test]
fn corruption_flips_exactly_the_bit_it_names() {
    let (fates, arrivals) =
        run(Conditions { corrupt: probability(0.25), ..Conditions::default() }, 1, FRAMES);
    let mut corrupted = 0;
    let mut bits = vec![0; 60 * 8];
    for (sent, (fate, arrival)) in fates.iter().zip(&arrivals).enumerate() {
        let mut expected = frame(sent);
        if let Some(bit) = fate.passage().unwrap().corrupted_bit {
            expected[bit / 8] ^= 0x80 >> (bit % 8);
            corrupted += 1;
            bits[bit] += 1;
        }
        assert_eq!(arrival.frame, expected);
    }
    assert_near(share(corrupted), 0.25, 0.01);
    assert!(bits.iter().all(|count| *count > 0), "every bit of the frame has its turn");
    assert_eq!(run(Conditions { corrupt: Probability::ALWAYS, ..Conditions::default() }, 1, 3).1.len(), 3);
}

#[test]
fn an_empty_frame_has_no_bit_to_flip() {
    let mut cable = Cable::new(Conditions { corrupt: Probability::ALWAYS, ..Conditions::default() }, 1);
    assert_eq!(cable.push(Instant::ZERO, Direction::Up, Vec::new()).passage().unwrap().corrupted_bit, None);
}

#[test]
fn the_mtu_counts_the_packet_in_the_frame() {
    let mut cable = Cable::new(Conditions { mtu: Some(576), ..Conditions::default() }, 1);
    assert_eq!(cable.push(Instant::ZERO, Direction::Up, vec![0; 576 + 14]).loss(), None);
    assert_eq!(cable.push(Instant::ZERO, Direction::Up, vec![0; 576 + 15]).loss(), Some(Loss::TooBig));
}

#[test]
fn one_shot_controls() {
    let mut cable = Cable::new(Conditions::default(), 1);
    let ms = Duration::from_millis(1);
    cable.drop_next(Direction::Up, 2);
    let losses: Vec<_> =
        (0..3).map(|at| cable.push(Instant::ZERO, Direction::Up, frame(at)).loss()).collect();
    assert_eq!(losses, [Some(Loss::Requested), Some(Loss::Requested), None]);
    assert_eq!(cable.push(Instant::ZERO, Direction::Down, frame(0)).loss(), None);
    while cable.poll(Instant::ZERO).is_some() {}

    cable.cut(millis(10), Direction::Up, 5 * ms);
    assert_eq!(cable.push(millis(14), Direction::Up, frame(0)).loss(), Some(Loss::Cut));
    assert_eq!(cable.push(millis(15), Direction::Up, frame(0)).loss(), None);
    cable.poll(millis(15)).unwrap();

    cable.set_conditions(Direction::Up, Conditions { delay: 5 * ms, ..Conditions::default() });
    cable.push(millis(20), Direction::Up, frame(1));
    cable.hold(millis(21), Direction::Up, 10 * ms);
    assert_eq!(cable.poll_timeout(), Some(millis(31)), "what travelled already is held");
    let late = cable.push(millis(22), Direction::Up, frame(2)).passage().unwrap();
    let later = cable.push(millis(30), Direction::Up, frame(3)).passage().unwrap();
    assert_eq!((late.at, later.at), (millis(31), millis(35)));
    assert_eq!(cable.poll(millis(30)), None);
    let order: Vec<_> =
        core::iter::from_fn(|| cable.poll(millis(35))).map(|it| (it.at, number(&it.frame))).collect();
    assert_eq!(order, [(millis(31), 1), (millis(31), 2), (millis(35), 3)]);
}

#[test]
fn a_shorter_delay_does_not_let_frames_overtake() {
    let slow = Conditions { delay: Duration::from_millis(100), ..Conditions::default() };
    let mut cable = Cable::new(slow, 1);
    cable.push(Instant::ZERO, Direction::Up, frame(0));
    cable.set_conditions(Direction::Up, Conditions::default());
    assert_eq!(cable.conditions(Direction::Down), &slow);
    cable.push(millis(1), Direction::Up, frame(1));
    let order: Vec<_> =
        core::iter::from_fn(|| cable.poll(Instant::MAX)).map(|it| (it.at, number(&it.frame))).collect();
    assert_eq!(order, [(millis(100), 0), (millis(100), 1)]);
}

#[test]
fn one_condition_does_not_change_what_another_decides() {
    let loss = Conditions { loss: probability(0.2), ..Conditions::default() };
    let more = Conditions { corrupt: probability(0.5), duplicate: probability(0.5), ..loss };
    let lost =
        |conditions| run(conditions, 9, 1000).0.iter().map(|fate| fate.loss().is_some()).collect::<Vec<_>>();
    assert_eq!(lost(loss), lost(more));
    assert_ne!(
        lost(loss),
        run(loss, 10, 1000).0.iter().map(|fate| fate.loss().is_some()).collect::<Vec<_>>()
    );
}

#[test]
fn what_travels_is_bounded() {
    let mut cable = Cable::new(Conditions { delay: Duration::from_secs(1), ..Conditions::default() }, 1);
    let fates: Vec<_> =
        (0..300).map(|_| cable.push(Instant::ZERO, Direction::Up, vec![0; 1 << 20])).collect();
    assert_eq!(fates.iter().position(|fate| fate.loss() == Some(Loss::QueueFull)), Some(255));
    assert!(cable.in_flight() <= 256 << 20);
}

fn any_conditions() -> impl Strategy<Value = Conditions> {
    let chance = || (0.0..0.6f64).prop_map(probability);
    let times = (0u64..50, 0u64..80)
        .prop_map(|(delay, jitter)| (Duration::from_millis(delay), Duration::from_millis(jitter)));
    let burst = proptest::option::of((1.0..5.0f64).prop_map(|frames| BurstLength::new(frames).unwrap()));
    let rate = proptest::option::of((10_000u64..10_000_000).prop_map(|rate| Rate::new(rate).unwrap()));
    let mtu = proptest::option::of(0usize..100);
    ([chance(), chance(), chance(), chance()], burst, times, rate, 1usize..20, mtu).prop_map(
        |([loss, reorder, duplicate, corrupt], loss_burst, (delay, jitter), rate, queue, mtu)| {
            let queue = QueueLimit::Frames(queue);
            Conditions {
                loss,
                loss_burst,
                delay,
                jitter,
                reorder,
                duplicate,
                corrupt,
                rate,
                queue,
                mark: None,
                mtu,
            }
        },
    )
}

proptest! {
    #[test]
    fn fates_come_true_and_repeat(
        conditions in any_conditions(),
        seed: u64,
        sends in proptest::collection::vec((0u64..20, any::<bool>(), 0usize..200), 0..80),
    ) {
        let run = || {
            let mut cable = Cable::new(conditions, seed);
            let mut now = Instant::ZERO;
            let (mut fates, mut arrivals) = (Vec::new(), Vec::new());
            for (pause, is_up, length) in &sends {
                now += Duration::from_millis(*pause);
                arrivals.extend(core::iter::from_fn(|| cable.poll(now)));
                let direction = if *is_up { Direction::Up } else { Direction::Down };
                fates.push(cable.push(now, direction, vec![7; *length]));
            }
            arrivals.extend(core::iter::from_fn(|| cable.poll(Instant::MAX)));
            (fates, arrivals)
        };
        let (fates, arrivals) = run();
        prop_assert!(arrivals.is_sorted_by_key(|arrival| arrival.at), "in order of time");
        let mut promised: Vec<_> = passages(&fates).iter().flat_map(|it| [Some(it.at), it.copy_at]).flatten().collect();
        promised.sort();
        prop_assert_eq!(promised, arrivals.iter().map(|arrival| arrival.at).collect::<Vec<_>>());
        prop_assert_eq!((fates, arrivals), run());
    }
}

#[test]
fn a_long_queue_marks_what_can_be_marked() {
    let conditions = Conditions {
        rate: Rate::new(1_000_000),
        queue: QueueLimit::Frames(10),
        mark: Some(QueueLimit::Frames(3)),
        ..Conditions::default()
    };
    for (ecn, expected) in [(0x20, true), (0x00, false)] {
        let mut frame = vec![0; 60];
        frame[12..16].copy_from_slice(&[0x86, 0xdd, 0x60, ecn]);
        let mut cable = Cable::new(conditions, 1);
        let fates: Vec<_> = (0..6).map(|_| cable.push(Instant::ZERO, Direction::Up, frame.clone())).collect();
        let marked: Vec<_> = passages(&fates).iter().map(|passage| passage.is_marked).collect();
        assert_eq!(marked, [false, false, false, false, expected, expected]);
        let last = core::iter::from_fn(|| cable.poll(Instant::MAX)).last().unwrap().frame;
        assert_eq!(last[15], if expected { 0x30 } else { ecn });
    }
}
