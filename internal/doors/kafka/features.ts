import type { apiVersions } from '../../protocol/kafka/apis/18-api-versions.ts';
import type { ResponseOf } from '../../protocol/kafka/schema.ts';

type Features = Pick<
  ResponseOf<typeof apiVersions>,
  'supportedFeatures' | 'finalizedFeatures' | 'finalizedFeaturesEpoch'
>;

/**
 * The level of Kafka's feature `metadata.version` that is served, 4.3-IV0: admin tools and clients read from it what a
 * cluster is capable of. In the directory of a Kafka it is the level that this Kafka wrote there.
 */
export const METADATA_VERSION = 30;
/** 3.3-IV3, the first of KRaft that Kafka names. */
const FIRST_METADATA_VERSION = 7;

/** Features that Kafka 4.3 has and this broker has at level 0, which is not at all. */
const ABSENT = [
  'eligible.leader.replicas.version',
  'group.version',
  'share.version',
  'streams.version',
  'transaction.version',
];
/** Before it, clients cannot read a range that begins at 0, and Kafka leaves it out (KIP-584). */
const FIRST_VERSION_WITH_LEVEL_0 = 4;

/** The features that ApiVersions names in one of its versions. */
export function featuresOf(metadataVersion: number, version: number): Features {
  const name = 'metadata.version';
  const absent = version < FIRST_VERSION_WITH_LEVEL_0 ? [] : ABSENT;
  return {
    supportedFeatures: [
      { name, minVersion: FIRST_METADATA_VERSION, maxVersion: METADATA_VERSION },
      ...absent.map((feature) => ({ name: feature, minVersion: 0, maxVersion: 0 })),
    ],
    finalizedFeatures: [{ name, minVersionLevel: metadataVersion, maxVersionLevel: metadataVersion }],
    // Nothing but the level ever changes, and it only rises.
    finalizedFeaturesEpoch: metadataVersion,
  };
}
