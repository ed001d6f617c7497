const TRIES = 5;
const LONG = 50; // ms

/**
 * @returns {number} ms since the epoch, with the finest step that the browser allows, never going back
 */
export function now() {
  return performance.timeOrigin + performance.now();
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
