import { array, bool, defineApi, int16, int32, int64, string, struct } from '../schema.ts';

/** Tells which APIs the broker serves in which versions. Its response header never has tags. */
export const apiVersions = defineApi({
  key: 18,
  name: 'ApiVersions',
  validVersions: '0-4',
  flexibleFrom: 3,
  request: {
    clientSoftwareName: string({ versions: '3+' }),
    clientSoftwareVersion: string({ versions: '3+' }),
  },
  response: {
    errorCode: int16(),
    apiKeys: array(struct({ apiKey: int16(), minVersion: int16(), maxVersion: int16() })),
    throttleTimeMs: int32({ versions: '1+', default: 0 }),
    supportedFeatures: array(struct({ name: string(), minVersion: int16(), maxVersion: int16() }), {
      versions: '3+',
      tag: 0,
    }),
    finalizedFeaturesEpoch: int64({ versions: '3+', default: -1, tag: 1 }),
    finalizedFeatures: array(struct({ name: string(), maxVersionLevel: int16(), minVersionLevel: int16() }), {
      versions: '3+',
      tag: 2,
    }),
    zkMigrationReady: bool({ versions: '3+', default: false, tag: 3 }),
  },
});
