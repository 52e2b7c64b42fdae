import { describeCluster } from '../../../protocol/kafka/apis/60-describe-cluster.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { defineHandler } from '../handler.ts';
import { endpoints } from '../nodes.ts';
import { NO_OPERATIONS } from '../topics.ts';

const BROKERS = 1;
const CONTROLLERS = 2;

export const describeClusterHandler = defineHandler(
  describeCluster,
  (request, context) => {
    const { parts, version, access } = context;
    const { clusterId, nodes } = parts;
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
      controllerId: nodes.brokerId,
      brokers: endpoints(context).map(({ nodeId, ...broker }) => ({
        ...broker,
        brokerId: nodeId,
        isFenced: false,
      })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? access.brokerOperations()
        : NO_OPERATIONS,
    };
  },
  { needs: [] },
);
