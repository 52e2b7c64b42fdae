/**
 * Loaded into a broker that is measured (`node --import`): how long the turns of its event loop are. A timer looks each
 * millisecond at the clock and at the CPU time of the thread. What lies between two looks is a turn: its CPU time is the
 * broker's own work, and the rest of a long one is the machine, which gave the core to somebody else.
 */

/** In milliseconds, of the turns since the last question. */
export interface Turns {
  wall: number[];
  own: number[];
}

/** Begins to look, and tells the process that started this one whenever that asks. */
function begin(): void {
  let turns: Turns = { wall: [], own: [] };
  let [atMs, usedMs] = [performance.now(), threadCpuMs()];
  setInterval(() => {
    const [nowMs, nowUsedMs] = [performance.now(), threadCpuMs()];
    turns.wall.push(nowMs - atMs);
    turns.own.push(nowUsedMs - usedMs);
    [atMs, usedMs] = [nowMs, nowUsedMs];
  }, 1).unref();
  process.on('message', () => {
    process.send!(turns);
    turns = { wall: [], own: [] };
  });
  process.channel!.unref();
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

// Threads of the broker load it as well, and have nobody to tell.
if (process.channel !== undefined) begin();
