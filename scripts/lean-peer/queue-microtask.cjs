module.exports = (task) => queueMicrotask(task);
