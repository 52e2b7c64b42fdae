import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { demand } from '../../../internal/clients/kafka/refusal.ts';
import { quoted } from '../../../internal/errors.ts';
import { describeConfigs } from '../../../internal/protocol/kafka/apis/32-describe-configs.ts';
import { UsageError } from '../../cli/options/program.ts';

/** A setting of a topic by name; null where a broker does not tell its value. */
export interface Setting {
  name: string;
  value: string | null;
}

/** What a configuration request calls a topic. */
export const TOPIC_RESOURCE = 2;
/** Where a value comes from that nobody set. */
const DEFAULT_SOURCE = 5;

/**
 * Reads `retention.ms=1000`.
 *
 * @throws UsageError
 */
export function settingOf(text: string): { name: string; value: string } {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`-config ${quoted(text)} is not NAME=VALUE`);
  return { name: text.slice(0, at), value: text.slice(at + 1) };
}

/**
 * The settings of topics that are not defaults, by topic, sorted by name.
 *
 * @throws KafkaRefusal
 */
export async function settingsOf(
  client: KafkaClient,
  topics: readonly string[],
): Promise<Map<string, Setting[]>> {
  if (topics.length === 0) return new Map();
  const { results } = await client.send(describeConfigs, {
    resources: topics.map((resourceName) => ({
      resourceType: TOPIC_RESOURCE,
      resourceName,
      configurationKeys: null,
    })),
  });
  return new Map(
    results.map(({ resourceName, errorCode, errorMessage, configs }) => {
      demand(`topic '${resourceName}'`, errorCode, errorMessage);
      const settings = configs
        .filter(({ configSource }) => configSource !== DEFAULT_SOURCE)
        .map(({ name, value }) => ({ name, value }))
        .sort((one, other) => (one.name < other.name ? -1 : 1));
      return [resourceName, settings];
    }),
  );
}
