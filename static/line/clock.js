const TRIES = 5;
const LONG = 50; // ms
const DRIFT = 1000; // ms

let origin = performance.timeOrigin;

/**
 * @returns {number} ms since the epoch, with the finest step that the browser allows
 */
export function now() {
  return origin + performance.now();
}

/** Follow the clock of the system. The other one stands still while the machine sleeps. */
export function synchronise() {
  const drift = Date.now() - now();
  if (Math.abs(drift) > DRIFT) origin += drift;
}

/**
 * The step of the clock: the least difference between two readings that differ. Takes up to 0.2 s where the
 * browser coarsens the clock to 0.1 s.
 * @returns {number} ms
 */
export function clockStep() {
  let least = Infinity;
  for (let tried = 0; tried < TRIES; tried += 1) {
    const start = performance.now();
    let end = start;
    while (end === start) end = performance.now();
    least = Math.min(least, end - start);
    if (least > LONG) break;
  }
  return Math.round(least * 1e4) / 1e4;
}
