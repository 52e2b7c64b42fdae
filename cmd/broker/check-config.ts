import { type ConfigurationReport, checkBroker } from '../../internal/server/check-broker.ts';
import type { Parsed } from '../cli/options/parse-program.ts';
import { UsageError } from '../cli/options/program.ts';
import { complain, EXIT_DONE, EXIT_FAILED, warn } from '../cli/run-program.ts';
import { brokerOptionsOf } from './broker-options.ts';
import type { brokerProgram } from './flags.ts';

/**
 * Says whether a broker would start with a command line, its files and its folder, and opens nothing.
 *
 * @param name of the program.
 * @returns the exit code.
 */
export async function checkConfiguration(
  name: string,
  { values, given, operands }: Pick<Parsed<typeof brokerProgram.options>, 'values' | 'given' | 'operands'>,
): Promise<number> {
  const { problems, notes, urls } = await reportOn(values, given, operands[0]);
  const isRight = problems.length === 0;
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ isRight, problems, notes, urls })}\n`);
    return isRight ? EXIT_DONE : EXIT_FAILED;
  }
  for (const problem of problems) complain(name, problem);
  for (const note of notes) warn(name, note);
  if (!isRight) return EXIT_FAILED;
  if (!values.quiet) process.stdout.write(`The configuration is right. It listens on ${urls.join(', ')}\n`);
  return EXIT_DONE;
}

async function reportOn(
  values: Parsed<typeof brokerProgram.options>['values'],
  given: ReadonlySet<string>,
  propertiesFile: string | undefined,
): Promise<ConfigurationReport> {
  try {
    return await checkBroker({
      ...brokerOptionsOf(values, given, () => {}, propertiesFile),
      openTelemetry: process.env,
    });
  } catch (error) {
    if (error instanceof UsageError) return { problems: [error.message], notes: [], urls: [] };
    throw error;
  }
}
