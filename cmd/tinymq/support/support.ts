import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { showOverview } from '../../../internal/admin/operations/overview.ts';
import { printableText } from '../../../internal/lib/printable.ts';
import { type TarFile, tarOf } from '../../../internal/lib/tar.ts';
import { command } from '../../cli/run-program.ts';
import { print, report } from '../access/output.ts';
import { intoNewFile } from '../broker/new-file.ts';
import { sizeText } from '../broker/words.ts';
import { NotRunning, withBroker } from '../reach/reach.ts';
import { targetOf } from '../reach/target.ts';
import { note } from '../report.ts';
import { CONTENTS, type Content, type Sources, VERIFICATION } from './contents.ts';
import { supportProgram } from './flags.ts';

const FOLDER = 'tinymq-support';

export const support = command(supportProgram, async (invocation) => {
  const file = invocation.operands[0]!;
  const { values, version, stop } = invocation;
  const target = targetOf(invocation);
  const folder = target.kind === 'folder' && target.kafkaLogDirs.length === 0 ? target.folder : undefined;
  const contents = values['skip-verify'] || folder === undefined ? CONTENTS : [...CONTENTS, VERIFICATION];
  if (values['dry-run']) {
    if (values.json) print(contents.map(({ name, what }) => ({ name, what })));
    else process.stdout.write(listOf(contents));
    return;
  }
  if (!values.quiet) process.stderr.write(`What goes into ${printableText(file)}:\n${listOf(contents)}`);
  const gathering = (broker: Sources['broker']) => gatherAll(contents, { broker, folder, version, stop });
  const files = await withBroker(invocation, async (broker) => {
    // Whether anybody is there; each part on its own would only say that it could not be had.
    await broker.call(showOverview, {});
    return gathering(broker);
  }).catch((error: unknown) => {
    // A broker that does not start is what many reports are about.
    if (!(error instanceof NotRunning) || folder === undefined) throw error;
    note(error.message);
    return gathering(undefined);
  });
  const archive = await promisify(gzip)(tarOf(files, Date.now()));
  await intoNewFile(file, (handle) => handle.appendFile(archive));
  const done = { file, bytes: archive.length, files: files.map(({ name }) => name) };
  report(
    values,
    done,
    `Wrote ${file} (${sizeText(archive.length)}). Look through it before you send it to anybody.`,
  );
});

function listOf(contents: readonly Content[]): string {
  const width = Math.max(...contents.map(({ name }) => name.length)) + 2;
  return contents.map(({ name, what }) => `${name.padEnd(width)}${what}\n`).join('');
}

/** Each for itself: what cannot be had is no reason to leave out the rest. */
async function gatherAll(contents: readonly Content[], from: Sources): Promise<TarFile[]> {
  const files: TarFile[] = [];
  for (const { name, gather } of contents) {
    from.stop.throwIfAborted();
    const found = await gather(from).catch((error: unknown) => {
      from.stop.throwIfAborted();
      return { problem: (error as Error).message };
    });
    const text = typeof found === 'string' ? found : `${JSON.stringify(found, undefined, 2)}\n`;
    files.push({ name: `${FOLDER}/${name}`, content: Buffer.from(text) });
  }
  return files;
}
