import type { PublishOptions } from '../../pkg/client/index.ts';
import type { Values } from '../cli/options/option.ts';
import { UsageError } from '../cli/options/program.ts';
import type { publisherProgram } from './flags.ts';

type MessageValues = Pick<
  Values<typeof publisherProgram.options>,
  'qos' | 'retain' | 'header' | 'content-type' | 'expiry'
>;

/** What the flags say of each message; undefined where they say nothing. @throws UsageError. */
export function messageOptionsOf(values: MessageValues): PublishOptions | undefined {
  const { qos, retain, header, 'content-type': contentType, expiry: expiresIn } = values;
  const options: PublishOptions = {};
  if (qos) options.qos = qos as 1 | 2;
  if (retain) options.retain = true;
  if (header.length > 0) options.headers = headersOf(header);
  if (contentType !== undefined) options.contentType = contentType;
  if (expiresIn !== undefined) options.expiresIn = expiresIn;
  return Object.keys(options).length === 0 ? undefined : options;
}

function headersOf(given: readonly string[]): Record<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const text of given) {
    const at = text.indexOf('=');
    if (at <= 0) throw new UsageError(`-header '${text}': it is NAME=VALUE`);
    const name = text.slice(0, at);
    headers.set(name, [...(headers.get(name) ?? []), text.slice(at + 1)]);
  }
  return Object.fromEntries(headers);
}
