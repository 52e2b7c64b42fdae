import { statSync } from 'node:fs';
import { showLog } from '../../../internal/admin/operations/logs.ts';
import { importLog } from '../../../internal/admin/operations/records.ts';
import { quoted } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { maxImportedMessages } from '../../../internal/limits/admin.ts';
import type { RecordForm } from '../../../internal/live/log-records.ts';
import { command } from '../../cli/run-program.ts';
import { report } from '../access/output.ts';
import { Progress, percentOf } from '../import/progress.ts';
import { type LogKeeper, withLogs } from '../reach/logs.ts';
import { counted } from '../report.ts';
import { logsImportProgram } from './flags.ts';
import { type JsonLine, jsonLinesOf, REQUEST_CHARACTERS } from './json-lines.ts';
import type { LogLine } from './logs-export.ts';

type OffsetsFlag = 'auto' | 'keep' | 'new';

export const importLogs = command(logsImportProgram, async (invocation) => {
  const file = invocation.operands[0]!;
  const { values, stop } = invocation;
  const progress = new Progress(process.stderr, values.quiet);
  const done = await withLogs(logsImportProgram.name, invocation, true, async (keeper) => {
    const importing = new Importing(keeper, file, values.offsets);
    try {
      await importing.run(values['from-line'], stop, progress);
    } catch (error) {
      if (error !== stop.reason && !(error instanceof Failure)) throw error;
      const why = stop.aborted ? 'stopped' : (error as Error).message;
      throw new Failure(`${why}; ${importing.told()}`);
    }
    return importing.result();
  }).finally(() => progress.end());
  const { records, logs, keptOffsets } = done;
  const kept =
    keptOffsets === logs
      ? 'with their offsets'
      : keptOffsets === 0
        ? 'with new offsets'
        : `with their offsets in ${counted(keptOffsets, 'log')}, with new ones in the others`;
  report(
    values,
    { file, ...done },
    `Imported ${counted(records, 'record')} into ${counted(logs, 'log')}, ${kept}.`,
  );
});

interface OpenLog extends LogLine {
  readonly keepOffsets: boolean;
}

/** What goes into a broker in one request. */
interface Batch {
  readonly log: OpenLog;
  readonly records: RecordForm[];
  lastLine: number;
}

/** One import: lines of a file, in batches, each of which lasts as a whole when the next one is sent. */
class Importing {
  readonly #keeper: LogKeeper;
  readonly #file: string;
  readonly #offsets: OffsetsFlag;
  readonly #logs = new Map<string, OpenLog>();
  #records = 0;
  #lastLine = 0;
  #hasEnd = false;

  constructor(keeper: LogKeeper, file: string, offsets: OffsetsFlag) {
    this.#keeper = keeper;
    this.#file = file;
    this.#offsets = offsets;
  }

  async run(fromLine: number, stop: AbortSignal, progress: Progress): Promise<void> {
    const sizeBytes = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    let readBytes = 0;
    let batch: Batch | undefined;
    let characters = 0;
    for await (const line of jsonLinesOf(this.#file)) {
      stop.throwIfAborted();
      readBytes += line.bytes + 1;
      const { value } = line;
      if ('log' in value) await this.#open(value as LogLine, line);
      else if (!('topic' in value)) this.#hasEnd = 'records' in value;
      if (!('topic' in value) || line.number < fromLine) continue;
      const log = this.#logOf(value as RecordForm, line);
      const isFull =
        batch !== undefined &&
        (batch.log !== log ||
          batch.records.length >= maxImportedMessages ||
          characters + line.bytes > REQUEST_CHARACTERS);
      if (isFull) {
        await this.#send(batch!);
        batch = undefined;
        characters = 0;
      }
      characters += line.bytes;
      batch ??= { log, records: [], lastLine: 0 };
      batch.records.push(value as RecordForm);
      batch.lastLine = line.number;
      progress.tell(
        () => `${this.#records} records (${percentOf(readBytes, Math.max(readBytes, sizeBytes))} %)`,
      );
    }
    if (batch !== undefined) await this.#send(batch);
    if (!this.#hasEnd) throw new Failure(`${this.#file} has no last line: it is not whole`);
  }

  /** What is there by now, and how to go on. */
  told(): string {
    if (this.#records === 0) return 'nothing was imported';
    return `${counted(this.#records, 'record')} are imported, up to line ${this.#lastLine}; -from-line ${this.#lastLine + 1} goes on there`;
  }

  result(): { records: number; logs: number; keptOffsets: number } {
    const logs = [...this.#logs.values()];
    const keptOffsets = logs.filter(({ keepOffsets }) => keepOffsets).length;
    return { records: this.#records, logs: logs.length, keptOffsets };
  }

  /** The log is created with its first line, so that it is there also where it has no record. */
  async #open(line: LogLine, { number }: JsonLine): Promise<void> {
    const { log: name, partitions, settings } = line;
    if (typeof name !== 'string' || !Number.isInteger(partitions)) {
      throw new Failure(`${this.#file}, line ${number}: it describes no log`);
    }
    const keepOffsets = this.#offsets === 'auto' ? await this.#isEmpty(name) : this.#offsets === 'keep';
    await this.#keeper.call(importLog, { name, partitions, settings, records: [] });
    this.#logs.set(name, { ...line, keepOffsets });
  }

  async #isEmpty(name: string): Promise<boolean> {
    try {
      const { partitions } = await this.#keeper.call(showLog, { name });
      return partitions.every(({ nextOffset }) => nextOffset === 0);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return true;
    }
  }

  #logOf({ topic }: RecordForm, { number }: JsonLine): OpenLog {
    const log = this.#logs.get(topic);
    if (log === undefined) {
      throw new Failure(
        `${this.#file}, line ${number}: no line before describes log ${quoted(String(topic))}`,
      );
    }
    return log;
  }

  async #send({ log, records, lastLine }: Batch): Promise<void> {
    const { log: name, keepOffsets } = log;
    try {
      const { imported } = await this.#keeper.call(importLog, { name, keepOffsets, records });
      this.#records += imported;
      this.#lastLine = lastLine;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(`${this.#file}, lines up to ${lastLine}: ${error.message}`);
    }
  }
}
