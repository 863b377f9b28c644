"""Chinese phrases for literature and the arts. Options stand between bars or on lines of their own."""

NOVELS = {
    "topic": """
        家族秘密 | 失散的书信 | 小镇流言 | 一场迟到的婚礼 | 初恋 | 流亡与归来 | 兄弟反目 | 忠诚与背叛
        一桩悬而未决的失踪案 | 童年的友谊 | 战后的沉默 | 无人愿接的遗产 | 从不交谈的邻居 | 成长的疼痛
        离家出走的女儿 | 许得太早的诺言
    """,
    "person": """
        退休的摆渡人 | 年轻的乡村教师 | 丧偶的钟表匠 | 夜班门房 | 镇上的医生 | 落魄的琴师 | 穿灰大衣的陌生人
        年迈的法官 | 守灯塔的人 | 怀揣心事的邮差 | 面包店的小儿子 | 尝不出味道的厨师 | 没有画室的画家
        休假的工程师 | 天文学家的遗孀
    """,
    "role": "摆渡人 | 钟表匠 | 琴师 | 陌生人 | 法官 | 邮差 | 女儿 | 邻居 | 房客 | 旅人 | 掌柜 | 守夜人",
    "noun": "老宅 | 果园 | 信 | 码头 | 楼梯 | 婚礼 | 沉默 | 皮箱 | 相片 | 末班车",
    "title": """
        {role}的{noun} | {adj}{role} | {noun}里的{role} | {name}与{role} | 给{name}的{noun} | {adj}{noun}
        {place}的{noun} | 没有{noun}的{season} | {role}不知道的事 | {name} | {thing}边的{noun}
        那年{season}的{noun} | 再见，{role} | {adj}{thing}
    """,
    "subtitle": "长篇小说 | 中短篇小说集 | {place}故事 | 一个家族的故事",
    "sentence": """
        {person}回到{place}，往日的伤口重新裂开，{topic}再也瞒不住了。
        一捆旧纸把{name}卷进了{topic}，从此日子再不能平静。
        {name}以为自己已经放下一切，直到深夜的一通电话提起了{topic}。
        这是一部关于{topic}与{topic}的小说，笔调温暖，不乏冷幽默。
        全书由{number}个人物轮流讲述，情节从{place}一直铺展到{place}。
        {name}和{person}之间生出一段别扭的情谊，也改变了两个人的一生。
        故事围绕{topic}展开，真正动人的却是那些失去太多的人彼此的体谅。
        叙述者一再绕开{topic}，真相直到最后几页才慢慢浮现。
        在{name}口中，{theme}不过是个借口，为的是不去谈{topic}。
        {season}将尽，{person}不得不在爱与责任之间作出选择。
        悬念层层推进，女主人公的命运令人久久难忘。
        村里的一切都变了样，只有{person}敢把话说出口。
    """,
}

POETRY = {
    "topic": """
        瓦上的雨声 | 鸟的名字 | 哀悼与慰藉 | 思念 | 乡音 | 失眠 | 细小之物的重量 | 盐与雪 | 离别 | 迟来的收获
        月光 | 遗忘 | 黄昏 | 初霜 | 水与石 | 爱人的缺席
    """,
    "form": "十四行 | 短章 | 绝句 | 挽歌 | 散文诗 | 自由诗 | 歌谣 | 长诗 | 小令 | 组诗",
    "noun": "雪 | 盐 | 飞蛾 | 灯笼 | 燕子 | 芦苇 | 灰烬 | 露水 | 白鹭 | 卵石 | 霜 | 苔",
    "title": """
        {noun}与{noun} | {noun}之歌 | {adj}{noun} | 写给{name}的{form} | {form}{number}首 | {noun}以后
        {thing}上的{noun} | {noun}，{thing}，{noun} | 听{noun} | {noun}睡着的地方 | 呼吸 | 致{noun}
        {season}的{form} | {adj}{thing}
    """,
    "subtitle": "诗集 | 诗选 | {form}集 | 新诗选 | {form}与{form}",
    "sentence": """
        诗人侧耳倾听{topic}，从中听出自己的韵律。
        诗集收入{time}间写下的{form}{number}首，许多篇目为首次发表。
        诗行简净，不求押韵，却一次次回到{topic}。
        一个既亲近又疏离的声音，说着{topic}，说着{topic}，也说着说不出的东西。
        从{form}到{form}，节奏始终不乱，气息始终舒展。
        意象接着意象，{topic}成了一切逝去之物的隐喻。
        中间一辑是一组{form}，写{topic}写得极尽温柔。
        就连{theme}也能入诗，一行一行，吟成歌。
        每一节都留着空白，两行之间隔着整个{season}。
        译诗与原文对照，读者可以听见韵脚、顿挫与回环。
        {topic}之后还剩下什么？诗人用{noun}作答，用{noun}作答，用寥寥几个字作答。
        薄薄一册诗，借声音与天气记住了{place}。
    """,
}

VISUAL_ART = {
    "topic": """
        水彩 | 水墨 | 肖像 | 山水 | 版画 | 静物 | 调色 | 光与影 | 素描 | 构图 | 木刻 | 速写 | 抽象绘画
        壁画技法 | 人物写生 | 透视 | 颜料与媒剂 | 油画 | 工笔花鸟
    """,
    "group": """
        北方画派 | 一群风景画家 | 港口画室 | 三代刻工 | 作坊里的匠师 | 被遗忘的画家村 | 宫廷画师 | 女性画家
    """,
    "noun": "画笔 | 画布 | 画室 | 画廊 | 画架 | 调色盘 | 墨 | 草图 | 肖像 | 壁画",
    "title": """
        {topic}的艺术 | {topic}入门 | 看懂{topic} | {topic}与{topic} | {adj}{noun} | {noun}与{thing}
        从{noun}到{noun} | {topic}名家 | {topic}小史 | 画{place} | {topic}技法 | {thing}的画法 | {noun}
        {topic}的语言
    """,
    "subtitle": "实用教程 | 展览图录 | 附彩图{number}幅 | 纸上作品 | 技法、材料与名家",
    "sentence": """
        书中收录{group}的作品{number}件，全部以整页彩图呈现。
        从第一根铅笔线到完成的画面，循序讲解{topic}与{topic}。
        图录配合同名展览出版，展示了{group}对{topic}的理解。
        用笔、用纸、设色，无不细细道来。
        {group}打破学院的成规，把{topic}放到创作的中心。
        通过{topic}的练习，训练眼睛辨认明暗、轮廓与留白。
        策展人的文章把绘画与版画、草图及画室书信并置而观。
        每章细看一幅画，追问画家如何处理{topic}。
        一张纸怎样变成一幅画？答案从{topic}说起。
        {theme}同样可以入画，来自{place}的写生便是明证。
        关于{topic}、颜料与画笔保养的说明，使这套课程十分完整。
        彩图印制精良，局部放大可见每一道笔触。
    """,
}

COOKING = {
    "topic": """
        老面馒头 | 汤面 | 泡菜与发酵 | 时令蔬菜 | 饺子 | 慢炖 | 一锅料理 | 家常点心 | 鱼鲜 | 街头小吃 | 早点
        果酱 | 素食 | 米饭杂粮 | 香料调配 | 炭火烧烤 | 剩菜新做 | 高汤
    """,
    "ingredient": """
        姜葱 | 花椒 | 豆豉 | 芝麻 | 香菇 | 八角 | 红薯 | 米醋与蜂蜜 | 梅干 | 大蒜 | 黄酒 | 豆腐 | 莲藕
        白胡椒 | 腊肉
    """,
    "noun": "厨房 | 餐桌 | 灶台 | 菜场 | 碗 | 砂锅 | 晚饭 | 菜谱 | 蒸笼 | 食橱",
    "title": """
        {adj}{noun} | {topic} | {season}的{topic} | {place}的{noun} | 简单{topic} | {name}的{noun}
        四季{topic} | {ingredient} | 从{noun}到{noun} | {ingredient}的{number}种做法 | {topic}全书 | 回家吃饭
        {noun}边的{season}
    """,
    "subtitle": "{number}道菜 | {place}风味 | 小厨房的日常 | 家人与朋友的{number}道菜 | {season}菜谱",
    "sentence": """
        收录{topic}、{topic}等食谱{number}余道，全部在普通家庭厨房试做过。
        用料不过{ingredient}、{ingredient}，多数菜半小时就能上桌。
        从{topic}到{topic}，每道菜都写明采买、火候与可以提前一天备好的步骤。
        作者在{place}学会了{topic}，做法至今和当地人家一样。
        步骤图清楚地示范如何揉面、翻拌、焖煮和调味。
        讲{topic}的一章，用大白话说清火候、盐与酸。
        {season}的菜单以{topic}为主，配上凉菜、蘸汁和甜品。
        橱里有{ingredient}，晚饭就不远了。
        {place}的滋味端上餐桌：{ingredient}、{ingredient}，再加一勺热油。
        书里写的是{topic}，也是一家人围坐吃饭的乐趣。
        菜谱之间穿插着小故事，有的讲{theme}，个个讲得人胃口大开。
        刀具、锅子和烤箱的选用也有交代，新手可以放心下厨。
    """,
}
