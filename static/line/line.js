// A dedicated worker that owns one WebSocket at a time. It takes the times, counts, paces loads and matches echoes, so
// that the page's own work does not show in them. The page's side is view/connection.js.
import { Echoes } from "../model/echoes.js";
import { Rates } from "../model/rates.js";
import { utf8Size } from "../model/utf8.js";
import { Alarm } from "./alarm.js";
import { clockStep, now, synchronise } from "./clock.js";
import { Load, Trips } from "./load.js";
import { Report } from "./report.js";

const TICK = 250; // ms between snapshots of a measurement
const RUN = 1e8; // keys of a load's messages: RUN times the run, plus the number of the message
const STEP = clockStep();
const NO_COUNTS = { sent: 0, received: 0, sentBytes: 0, receivedBytes: 0, lost: 0, differs: 0 };

class Line {
  constructor() {
    this.socket = null;
    this.key = 0;
    this.run = 0;
    this.sending = Promise.resolve();
    this.report = new Report((message, transfer) => postMessage(message, transfer), (time) => this.#extra(time));
    this.alarm = new Alarm(() => this.pump());
    this.#reset();
  }

  #reset() {
    this.counts = { ...NO_COUNTS };
    this.report.notKept = 0;
    this.echoes = new Echoes();
    this.rates = new Rates();
    this.trips = new Trips();
    this.load = null;
    this.reported = 0; // round trips in the last snapshot without a load
    this.lastSnapshot = -Infinity;
  }

  // Connection

  connect({ url, protocols, isRetry, willReconnect }) {
    this.drop();
    synchronise();
    if (!isRetry) this.#reset();
    this.willReconnect = willReconnect;
    this.started = now();
    try {
      this.socket = new WebSocket(url, protocols);
    } catch (error) {
      this.report.state({ name: "failed", after: 0, refusal: error.message });
      return;
    }
    this.#listen(this.socket);
  }

  #listen(socket) {
    Object.assign(this, { opened: NaN, lastMessage: NaN, hasClosed: false });
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.receive(now(), data);
    socket.onopen = () => this.open(socket);
    socket.onclose = (event) => this.closed(event);
  }

  open({ protocol, extensions }) {
    this.opened = now();
    this.lastMessage = this.opened;
    this.report.state({
      name: "connected", time: this.opened, protocol, extensions, openedIn: this.opened - this.started,
    });
    if (!this.load?.isSuspended) return;
    this.load.resume(this.opened);
    this.pump();
  }

  closed({ code, reason, wasClean }) {
    const time = now();
    this.socket = null;
    this.lose(time);
    if (Number.isNaN(this.opened)) {
      this.report.state({ name: "failed", time, after: time - this.started, refusal: "" });
      return;
    }
    const [openFor, silentFor] = [time - this.opened, time - this.lastMessage];
    const close = { code, reason, clean: wasClean, byPage: this.hasClosed, openFor, silentFor };
    this.report.state({ name: "closed", time, close });
  }

  // What was sent before is sent before the Close.
  close({ code, reason }) {
    this.willReconnect = false;
    this.sending = this.sending.then(() => {
      if (this.socket?.readyState !== WebSocket.OPEN) return;
      this.hasClosed = true;
      this.socket.close(code, reason);
    });
  }

  // Leave the socket to itself, without a report.
  drop() {
    const socket = this.socket;
    if (!socket) return;
    Object.assign(socket, { onopen: null, onmessage: null, onclose: null });
    socket.close();
    this.socket = null;
    this.willReconnect = false;
    this.lose(now());
  }

  lose(time) {
    this.counts.lost += this.echoes.loseAll().length;
    if (this.#isLoading) {
      this.load.interrupt(time, this.willReconnect);
      this.counts.lost += this.load.takeLost();
    }
    this.alarm.set(Infinity);
    this.report.loseAll();
    this.lastSnapshot = -Infinity;
    this.report.changed(time);
  }

  // Messages

  // A file is read before it is sent, and what was sent after it waits, so that the order stays.
  send({ data, isFile }) {
    this.sending = this.sending.then(async () => {
      try {
        const isBlob = data instanceof Blob;
        this.transmit(isBlob ? new Uint8Array(await data.arrayBuffer()) : data, { isFile: isFile || isBlob });
      } catch (error) {
        postMessage({ is: "unsent", problem: `The file could not be read: ${error.message}` });
      }
    });
  }

  transmit(data, { isFile }) {
    if (this.socket?.readyState !== WebSocket.OPEN) {
      postMessage({ is: "unsent", problem: "Not sent: the connection has ended." });
      return;
    }
    const size = sizeOf(data);
    const key = (this.key += 1);
    const time = now();
    this.socket.send(data);
    for (const lost of this.echoes.send({ key, data, size, time })) this.#lost(lost);
    this.#sent({ key, time, data, size, isFile });
    this.report.changed(time);
  }

  #sent({ key, time, data, size, isFile = false }) {
    this.lastMessage = time;
    this.counts.sent += 1;
    this.counts.sentBytes += size;
    this.rates.addSent(time, size);
    this.report.add({ key, time, direction: "sent", size, data, isFile, roundTrip: NaN, echo: { state: "waiting" } });
  }

  #lost(key) {
    this.counts.lost += 1;
    this.report.echo(key, { state: "lost" });
  }

  receive(time, received) {
    const data = typeof received === "string" ? received : new Uint8Array(received);
    const size = sizeOf(data);
    this.lastMessage = time;
    this.counts.received += 1;
    this.counts.receivedBytes += size;
    this.rates.addReceived(time, size);
    const { roundTrip, ...echo } = this.#match(data, time);
    this.report.add({ time, direction: "received", size, data, roundTrip, echo });
    if (this.#isLoading && this.#wantsPump(time)) this.pump();
    this.report.changed(time);
  }

  // In flight, a message that comes back makes room for the next. Under a flood timers starve, and messages replace
  // them.
  #wantsPump(time) {
    return this.load.plan.mode === "inflight" || time - this.lastPump > 1;
  }

  #match(data, time) {
    const returned = this.#isLoading ? this.load.receive(data, time) : null;
    const found = returned ?? this.echoes.receive(data, time);
    const { state, at, roundTrip } = found;
    const of = returned ? this.#keyOf(returned.number) : found.of;
    if (found.wasLost) this.counts.lost -= 1;
    if (state === "differs") this.counts.differs += 1;
    if (state !== "none") this.report.echo(of, { state, at, roundTrip });
    if (!returned) this.trips.add(time, roundTrip);
    return { state, at, of: state === "none" ? null : of, roundTrip };
  }

  // Measuring

  get #isLoading() {
    return this.load !== null && !this.load.isOver;
  }

  #keyOf(number) {
    return this.load.run * RUN + number;
  }

  measure({ plan }) {
    if (this.socket?.readyState !== WebSocket.OPEN || this.#isLoading) return;
    this.load = new Load(plan, (this.run += 1), now());
    this.lastSnapshot = -Infinity;
    this.pump();
  }

  stop() {
    if (!this.#isLoading) return;
    this.willReconnect = false;
    this.load.stop(now());
    this.pump();
  }

  pump() {
    const { load } = this;
    let time = now();
    this.lastPump = time;
    const { send, wait } = load.next(time, this.socket?.bufferedAmount ?? 0);
    for (let count = 0; count < send; count += 1) {
      time = now();
      const { number, data } = load.send(time);
      this.socket.send(data);
      this.#sent({ key: this.#keyOf(number), time, data, size: load.series.size });
    }
    if (load.isOver) this.#conclude();
    else this.alarm.set(load.isSuspended ? Infinity : time + Math.min(wait, TICK));
    this.report.changed(time);
  }

  #conclude() {
    this.alarm.set(Infinity);
    this.counts.lost += this.load.takeLost();
    this.report.loseAll();
    this.lastSnapshot = -Infinity;
  }

  #extra(time) {
    const counts = { ...this.counts, notKept: this.report.notKept };
    if (time - this.lastSnapshot < TICK) return { counts };
    this.lastSnapshot = time;
    return { counts, rates: this.rates, measurement: this.#snapshot(time) };
  }

  // Without a load, the round trips of what was sent by hand.
  #snapshot(time) {
    if (this.load) return this.#loadSnapshot(time);
    if (this.trips.histogram.count === this.reported) return null;
    this.reported = this.trips.histogram.count;
    const { sent, received, lost, differs: altered } = this.counts;
    return {
      run: 0, mode: "once", running: false, sent, received, lost, altered, duplicated: 0, reordered: 0, skipped: 0,
      elapsed: time - this.started, started: this.started, progress: 1, marks: [], sentence: "",
      histogram: this.trips.histogram, points: this.trips.timeline.take(Infinity),
      clockStep: STEP,
    };
  }

  // The end of a load is reported once.
  #loadSnapshot(time) {
    if (this.load.isReported) return null;
    this.load.isReported = this.load.isOver;
    return { ...this.load.snapshot(time), clockStep: STEP };
  }

  expire() {
    if (!this.#isLoading) synchronise();
    if (this.echoes.waiting.size === 0) return;
    for (const key of this.echoes.expire(now())) this.#lost(key);
    this.report.changed(now());
  }
}

const sizeOf = (data) => (typeof data === "string" ? utf8Size(data) : data.length);

const line = new Line();
setInterval(() => line.expire(), 1000);

const COMMANDS = {
  connect: (command) => line.connect(command),
  close: (command) => line.close(command),
  drop: () => line.drop(),
  send: (command) => line.send(command),
  measure: (command) => line.measure(command),
  stop: () => line.stop(),
  taken: () => line.report.acknowledge(),
};

addEventListener("message", ({ data }) => COMMANDS[data.do](data));
