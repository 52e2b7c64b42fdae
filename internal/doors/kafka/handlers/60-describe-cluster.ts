import { describeCluster } from '../../../protocol/kafka/apis/60-describe-cluster.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';
import { NO_OPERATIONS } from '../topics.ts';

const BROKERS = 1;
const CONTROLLERS = 2;

export const describeClusterHandler = defineHandler(
  describeCluster,
  (request, { parts, client, version, access }) => {
    const { clusterId, nodeId } = parts;
    const endpointType = version >= 1 ? request.endpointType : BROKERS;
    if (endpointType !== BROKERS) {
      const errorCode =
        endpointType === CONTROLLERS
          ? KafkaErrorCode.mismatchedEndpointType
          : KafkaErrorCode.unsupportedEndpointType;
      const errorMessage = `this is an endpoint of brokers (1), not ${endpointType}`;
      return { errorCode, errorMessage, clusterId: '', brokers: [] };
    }
    return {
      errorCode: KafkaErrorCode.none,
      endpointType,
      clusterId,
      controllerId: nodeId,
      brokers: [{ brokerId: nodeId, ...client.advertised, rack: null, isFenced: false }],
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? access.brokerOperations()
        : NO_OPERATIONS,
    };
  },
  { needs: [] },
);
