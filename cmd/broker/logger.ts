import { type Logger, pino } from 'pino';
import { printableText } from '../../internal/lib/printable.ts';
import { coloursFor } from '../cli/run-program.ts';

/** The broker's log on the standard error: JSON, one object a line, or lines for people. */
export function loggerOf(level: string, format: 'auto' | 'pretty' | 'json'): Logger {
  const isPretty = format === 'pretty' || (format === 'auto' && process.stderr.isTTY);
  const options = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (name: string) => ({ level: name }) },
  };
  return pino(options, {
    write: (line: string) => process.stderr.write(isPretty ? prettyLine(line) : line),
  });
}

/** `12:00:01 warn  a subscriber does not take its messages  code=slow-consumer client=kitchen`. */
export function prettyLine(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const colours = coloursFor(process.stderr);
  const name = String(level);
  const colour = { warn: colours.yellow, error: colours.red }[name] ?? colours.green;
  const clock = colours.dim(String(time).slice(11, 19));
  const details = Object.entries(fields).map(([key, value]) => `${colours.dim(`${key}=`)}${shown(value)}`);
  return `${clock} ${colour(name.padEnd(5))} ${[shown(msg), ...details].join('  ')}\n`;
}

/** Names that clients choose are part of the log; none may reach the terminal as an escape sequence. */
function shown(value: unknown): string {
  return printableText(typeof value === 'object' ? JSON.stringify(value) : String(value));
}
