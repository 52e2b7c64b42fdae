import { apiVersions } from '../../../protocol/kafka/apis/18-api-versions.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import type { Api, ResponseOf } from '../../../protocol/kafka/schema.ts';
import { featuresOf } from '../features.ts';
import { defineHandler, type Handler } from '../handler.ts';

/** @param served every handler of the door, this one among them. */
export function apiVersionsHandlerFor(served: () => readonly Handler[]) {
  return defineHandler(
    apiVersions,
    (request, { version, parts }) => {
      const isNamed = [request.clientSoftwareName, request.clientSoftwareVersion].every((name) =>
        SOFTWARE.test(name),
      );
      if (version >= 3 && !isNamed) return { errorCode: KafkaErrorCode.invalidRequest, apiKeys: [] };
      return {
        errorCode: KafkaErrorCode.none,
        apiKeys: served().map(({ api }) => rangeOf(api)),
        ...featuresOf(parts.metadataVersion, version),
      };
    },
    { needs: [], isBeforeAuthentication: true },
  );
}

/** Names and versions of client software, as KIP-511 allows them. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/** The answer in version 0 to a version that is not known: what the client may ask instead (KIP-511). */
export function unsupportedApiVersions(): ResponseOf<typeof apiVersions> {
  return { errorCode: KafkaErrorCode.unsupportedVersion, apiKeys: [rangeOf(apiVersions)] };
}

function rangeOf(api: Api) {
  return { apiKey: api.key, minVersion: api.advertisedFrom, maxVersion: api.validVersions.max };
}
