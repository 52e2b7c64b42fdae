import { readdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { type ConfLine, confLines } from '../../../../internal/access/mosquitto/conf-file.ts';
import { systemReason } from '../../../../internal/lib/system-reason.ts';
import { UsageError } from '../../../cli/options/program.ts';
import { beside, textOf } from '../../import/mosquitto-access.ts';

export interface FileLine extends ConfLine {
  readonly file: string;
}

/**
 * The lines of a `mosquitto.conf`. In the place of an `include_dir` stand those of the files in it whose names end in
 * `.conf`, upper case before lower case; there it counts in the main file only.
 *
 * @throws UsageError where a file cannot be read.
 */
export function linesOfConf(file: string): FileLine[] {
  return linesIn(file).flatMap((line) => {
    if (line.key !== 'include_dir') return [line];
    const folder = isAbsolute(line.value) ? line.value : beside(file, line.value);
    return [line, ...filesIn(folder).flatMap((name) => linesIn(join(folder, name)))];
  });
}

function linesIn(file: string): FileLine[] {
  return confLines(textOf('FILE', file)).map((line) => ({ ...line, file }));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.conf'))
      .sort();
  } catch (error) {
    throw new UsageError(`include_dir: cannot read ${folder}: ${systemReason(error)}`);
  }
}
