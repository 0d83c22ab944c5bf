// To whom the send box sends: all peers, or those that are ticked; of UDP an address.

export class Targets extends EventTarget {
  /** @param {any} session */
  constructor(session) {
    super();
    this.session = session;
    /** @type {Set<number>} */
    this.ticked = new Set();
    /** Of UDP: who is written to. */
    this.address = session.remote ?? "";
  }

  /** Whether somebody is to be chosen at all. */
  get hasPeers() {
    return this.session.kind === "tcp-server" || this.session.kind === "forward";
  }

  /** What `to` is in a request. */
  get to() {
    if (this.session.kind === "udp") return this.ticked.size > 0 ? [...this.ticked] : this.address;
    return this.ticked.size > 0 ? [...this.ticked] : "all";
  }

  /** @param {any} session as it is now */
  update(session) {
    this.session = session;
    const before = this.ticked.size;
    const alive = new Set(session.peers.filter((/** @type {any} */ peer) => isAlive(peer)).map((/** @type {any} */ peer) => peer.peer));
    for (const peer of this.ticked) if (!alive.has(peer)) this.ticked.delete(peer);
    if (before !== this.ticked.size) this.changed();
  }

  /**
   * @param {number} peer
   * @param {boolean} isTicked
   */
  tick(peer, isTicked) {
    if (isTicked) this.ticked.add(peer);
    else this.ticked.delete(peer);
    this.changed();
  }

  /** @param {Iterable<number>} peers */
  tickAll(peers) {
    this.ticked = new Set(peers);
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {any} peer that can still be sent to */
export function isAlive(peer) {
  return ["connected", "closing", "open"].includes(peer.state);
}
