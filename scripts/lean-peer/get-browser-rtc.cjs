/** Without prefixes: what has them is older than all else that emberlink needs. */
module.exports = () => {
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = globalThis;
  return RTCPeerConnection && { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate };
};
