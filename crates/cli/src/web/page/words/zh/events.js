// What has happened to a session, in Chinese. In English the words come with it.
export default {
  "event.listening": "正在监听 {address}",
  "event.open": "已打开 {address}",
  "event.accepted": "{address} 已连接",
  "event.connected": "已连接到 {address}",
  "event.fin-received": "recv() 返回 0：对端已关闭（FIN）",
  "event.fin-sent": "已关闭：FIN",
  "event.linger0": "已关闭（SO_LINGER 0）：发送了 RST",
  "event.rst-sent": "已立即关闭：RST",
  "event.again": "{after_ms} ms 后重新连接",
  "event.joined": "正在接收 {groups}；为此套接字监听所有地址，发往其中任何一个的数据都会收到",
};
